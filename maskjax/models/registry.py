"""The architectures that maskjax computes, by the `model_type` of their `config.json`."""

from collections.abc import Container, Mapping
from typing import Any

from maskjax.errors import InputError, suggest
from maskjax.models.architecture import Architecture
from maskjax.models.config import EncoderConfig
from maskjax.models.families import FAMILIES

ARCHITECTURES: dict[str, Architecture] = {family.name: family for family in FAMILIES}
"""`model_type` → architecture."""

QUERY = "encoder.layer.0.attention.self.query.weight"
"""A tensor that every encoder of BERT's shape has, by BERT's name."""


def register_architecture(architecture: Architecture) -> None:
    """Adds an architecture, so that every command takes its checkpoints.

    Args:
        architecture: The architecture; one of the same name is replaced.
    """
    ARCHITECTURES[architecture.name] = architecture


def read_config(values: Mapping[str, Any], source: str) -> EncoderConfig:
    """Reads the configuration of a Hugging Face checkpoint.

    Args:
        values: The content of `config.json`.
        source: Where it came from, for error messages.

    Returns:
        The configuration; an absent optional key has the value that transformers gives it.

    Raises:
        InputError: Another architecture, a variant that is not computed, or a missing or impossible
            value.

    Example:
        >>> tiny = {"model_type": "distilbert", "vocab_size": 9, "dim": 4, "n_layers": 1}
        >>> tiny |= {"n_heads": 2, "hidden_dim": 8, "max_position_embeddings": 16}
        >>> read_config(tiny, "config.json").head_dropout
        0.2
    """
    name = values.get("model_type")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise InputError(
            f"{source}: model_type {name!r} is not supported; "
            f"{suggest(str(name), [*ARCHITECTURES])} "
            "`maskjax models` lists all; Python code adds its own before it loads a base, by "
            "maskjax.models.register_architecture"
        )
    return ARCHITECTURES[name].read_config(values, source)


def guess_family(values: Mapping[str, Any], names: Container[str], source: str) -> str:
    """The `model_type` of a checkpoint whose `config.json` has none.

    Its `architectures` settle it, else the prefix of its tensors, else the names of a block; among
    families with BERT's names, its token types and padding.
    """
    classes = values.get("architectures")
    class_name = str(classes[0]) if isinstance(classes, list) and classes else ""
    named = [a for a in ARCHITECTURES.values() if class_name.startswith(a.torch_name)]
    if named:
        return max(named, key=lambda a: len(a.torch_name)).name
    fitting = [a.name for a in ARCHITECTURES.values() if f"{a.prefix}.{a.rename(QUERY)}" in names]
    fitting = fitting or [a.name for a in ARCHITECTURES.values() if a.rename(QUERY) in names]
    is_bert = values.get("type_vocab_size", 2) == 2 and not values.get("pad_token_id")
    if "bert" in fitting and is_bert:
        fitting = ["bert"]
    own = {name: ARCHITECTURES[name].own_tensor for name in fitting}
    present = [name for name in fitting if own[name] and _has_tensor(name, own[name], names)]
    fitting = present or [name for name in fitting if not own[name]]
    if len(fitting) != 1:
        raise InputError(
            f"{source}: key 'model_type' is missing, and the tensors do not settle it; add one of: "
            f"{', '.join(fitting or ARCHITECTURES)}"
        )
    return fitting[0]


def _has_tensor(family: str, tensor: str, names: Container[str]) -> bool:
    """Whether a checkpoint has a tensor, with or without the prefix of the family."""
    name = ARCHITECTURES[family].rename(tensor)
    return name in names or f"{ARCHITECTURES[family].prefix}.{name}" in names


def architecture_of(config: EncoderConfig) -> Architecture:
    """The architecture of a configuration.

    Example:
        >>> from maskjax.models import load_base
        >>> architecture_of(load_base(base).config).name
        'bert'
    """
    return ARCHITECTURES[config.family]
