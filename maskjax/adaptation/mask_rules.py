"""Which leaves a configuration is about: kinds, blocks, the head."""

from collections.abc import Iterable

from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.models import EncoderConfig, Model, architecture_of, head_paths
from maskjax.models.matrix_types import MATRIX_TYPES, encoder_rules, matrix_type

PROJECTIONS = ("query", "key", "value", "position_query", "position_key")
"""Kinds whose outputs are those of attention heads, which granularity head masks by default."""


def masked_rules(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The rules that pick what a configuration masks.

    Args:
        config: Its kinds, blocks, biases and whether the head is masked.
        model: The model.

    Returns:
        Regular expressions for whole paths; the head's are its paths.

    Raises:
        InputError: If a setting does not fit the model.
    """
    return _rules(_masked_kinds(config, model), config, model)


def structured_kinds(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The masked kinds whose weights share scores."""
    masked = _masked_kinds(config, model)
    unmasked = sorted(set(config.structured) - set(masked))
    if unmasked:
        raise InputError(
            f"adaptation.structured: expected some of the masked kinds ({', '.join(masked)}), "
            f"got {', '.join(unmasked)}; see --adaptation.kinds and --adaptation.head."
        )
    return () if config.granularity == "weight" else config.structured or masked


def structured_rules(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The rules that pick the masked leaves whose weights share scores."""
    return _rules(structured_kinds(config, model), config, model)


def masked_blocks(config: AdaptationConfig, encoder: EncoderConfig) -> range:
    """The blocks that a configuration masks.

    Args:
        config: Its `blocks` are the first and the last block, or None for the paper's range.
        encoder: The shape of the encoder.

    Returns:
        Block numbers.

    Raises:
        InputError: If the range does not lie in the encoder.
    """
    lowest = architecture_of(encoder).lowest_masked(encoder.num_blocks)
    return chosen_blocks(config, encoder, min(lowest, encoder.num_blocks - 1))


def chosen_blocks(config: AdaptationConfig, encoder: EncoderConfig, lowest: int) -> range:
    """The blocks that a configuration asks for."""
    first, last = config.blocks or (lowest, encoder.num_blocks - 1)
    if not 0 <= first <= last < encoder.num_blocks:
        raise InputError(
            f"adaptation.blocks: expected first <= last within 0..{encoder.num_blocks - 1}, "
            f"got {first} {last}."
        )
    return range(first, last + 1)


def chosen_kinds(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The kinds of matrices that a configuration asks for, each once."""
    known = _pretrained_kinds(model)
    unknown = sorted(set(config.kinds) - set(known))
    if unknown:
        raise InputError(
            f"adaptation.kinds: expected some of {', '.join(known)}, got {', '.join(unknown)}; "
            "for the randomly initialized head use --adaptation.head."
        )
    return tuple(dict.fromkeys(config.kinds))


def _pretrained_kinds(model: Model) -> tuple[str, ...]:
    pretrained = flatten_with_paths(model.abstract).keys() - set(head_paths(model))
    found = {matrix_type(path) for path in pretrained}
    return tuple(kind for kind in MATRIX_TYPES if kind in found)


def _masked_kinds(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    kinds = chosen_kinds(config, model) or _default_kinds(config, model)
    return kinds if config.head == "trained" else (*kinds, "head")


def _default_kinds(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    if config.granularity == "head" and not config.structured:
        return tuple(kind for kind in _pretrained_kinds(model) if kind in PROJECTIONS)
    return _pretrained_kinds(model)


def _rules(kinds: Iterable[str], config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """Patterns of the leaves of some kinds in the masked blocks."""
    encoder = [kind for kind in kinds if kind != "head"]
    rules = encoder_rules(encoder, blocks=masked_blocks(config, model.config), biases=config.biases)
    head = head_paths(model) if "head" in kinds else ()
    return rules + tuple(path for path in head if config.biases or path.endswith("/kernel"))
