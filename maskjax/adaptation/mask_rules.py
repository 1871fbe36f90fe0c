"""Which leaves a configuration is about: matrix types, blocks, the head."""

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
        config: Its matrix types, blocks, biases and whether the head is masked.
        model: The model.

    Returns:
        Regular expressions for whole paths; the head's are its paths.

    Raises:
        InputError: If a setting does not fit the model.

    Example:
        >>> from maskjax.models import build_model, load_base
        >>> model = build_model(load_base(base).config, num_outputs=2)
        >>> masked_rules(AdaptationConfig(matrix_types=("query",), blocks=(1, 1)), model)
        ('encoder/layer/(?:1)/attention/self/query/kernel',)
    """
    return _rules(_masked_types(config, model), config, model)


def structured_types(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The masked matrix types whose weights share scores."""
    masked = _masked_types(config, model)
    unmasked = sorted(set(config.structured) - set(masked))
    if unmasked:
        raise InputError(
            f"adaptation.structured: expected some of the masked types ({', '.join(masked)}), got "
            f"{', '.join(unmasked)}; see --adaptation.matrix-types and --adaptation.head."
        )
    return () if config.granularity == "weight" else config.structured or masked


def structured_rules(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The rules that pick the masked leaves whose weights share scores."""
    return _rules(structured_types(config, model), config, model)


def masked_blocks(config: AdaptationConfig, encoder: EncoderConfig) -> range:
    """The blocks that a configuration masks.

    Args:
        config: Its `blocks` are the first and the last block, or None for the paper's range.
        encoder: The shape of the encoder.

    Returns:
        Block numbers.

    Raises:
        InputError: If the range does not lie in the encoder.

    Example:
        >>> from maskjax.models import load_base
        >>> list(masked_blocks(AdaptationConfig(blocks=(1, 1)), load_base(base).config))
        [1]
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


def chosen_types(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """The matrix types that a configuration asks for, each once."""
    known = _pretrained_types(model)
    unknown = sorted(set(config.matrix_types) - set(known))
    if unknown:
        raise InputError(
            f"adaptation.matrix_types: expected some of {', '.join(known)}, got "
            f"{', '.join(unknown)}; for the randomly initialized head use --adaptation.head."
        )
    return tuple(dict.fromkeys(config.matrix_types))


def _pretrained_types(model: Model) -> tuple[str, ...]:
    pretrained = flatten_with_paths(model.abstract).keys() - set(head_paths(model))
    present = {matrix_type(path) for path in pretrained}
    return tuple(name for name in MATRIX_TYPES if name in present)


def _masked_types(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    types = chosen_types(config, model) or _default_types(config, model)
    return types if config.head == "trained" else (*types, "head")


def _default_types(config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    if config.granularity == "head" and not config.structured:
        return tuple(name for name in _pretrained_types(model) if name in PROJECTIONS)
    return _pretrained_types(model)


def _rules(types: Iterable[str], config: AdaptationConfig, model: Model) -> tuple[str, ...]:
    """Patterns of the leaves of some matrix types in the masked blocks."""
    encoder = [name for name in types if name != "head"]
    rules = encoder_rules(encoder, blocks=masked_blocks(config, model.config), biases=config.biases)
    head = head_paths(model) if "head" in types else ()
    return rules + tuple(path for path in head if config.biases or path.endswith("/kernel"))
