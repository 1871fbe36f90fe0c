"""Which leaves a configuration is about: kinds, blocks, the head."""

from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import KINDS, encoder_rules
from maskjax.models import EncoderConfig

HEAD = f"{KINDS['head']}/(?:kernel|bias)"
"""Pattern of the randomly initialised leaves of all families."""


def masked_rules(config: AdaptationConfig, model: EncoderConfig) -> tuple[str, ...]:
    """The rules that pick what a configuration masks.

    Args:
        config: Its kinds, blocks, biases and whether the head is masked.
        model: The encoder.

    Returns:
        Regular expressions for whole paths.

    Raises:
        InputError: If a setting does not fit the model.
    """
    kinds = chosen_kinds(config, model) or _default_kinds(config, model)
    if config.head != "trained":
        kinds += ("head",)
    return encoder_rules(kinds, blocks=masked_blocks(config, model), biases=config.biases)


def masked_blocks(config: AdaptationConfig, model: EncoderConfig) -> range:
    """The blocks that a configuration masks.

    Args:
        config: Its `blocks` are the first and the last block, or None for the paper's range.
        model: The encoder.

    Returns:
        Block numbers.

    Raises:
        InputError: If the range does not lie in the model.
    """
    lowest = 2 if model.family == "distilbert" else model.num_layers // 6
    return chosen_blocks(config, model, min(lowest, model.num_layers - 1))


def chosen_blocks(config: AdaptationConfig, model: EncoderConfig, lowest: int) -> range:
    """The blocks that a configuration asks for.

    Args:
        config: Its `blocks` are the first and the last one, or None.
        model: The encoder.
        lowest: The first one where none is asked for.

    Returns:
        Block numbers.

    Raises:
        InputError: If the range does not lie in the model.
    """
    first, last = config.blocks or (lowest, model.num_layers - 1)
    if not 0 <= first <= last < model.num_layers:
        raise InputError(
            f"adaptation.blocks: expected first <= last within 0..{model.num_layers - 1}, "
            f"got {first} {last}."
        )
    return range(first, last + 1)


def chosen_kinds(config: AdaptationConfig, model: EncoderConfig) -> tuple[str, ...]:
    """The kinds of matrices that a configuration asks for, each once.

    Args:
        config: Its `kinds`.
        model: The encoder.

    Returns:
        Names of `KINDS`; empty where none is asked for.

    Raises:
        InputError: If the model has no such kind.
    """
    known = _kinds_of_encoder(model)
    unknown = sorted(set(config.kinds) - set(known))
    if unknown:
        raise InputError(
            f"adaptation.kinds: expected some of {', '.join(known)}, got {', '.join(unknown)}; "
            "for the classification head use --adaptation.head."
        )
    return tuple(dict.fromkeys(config.kinds))


def _kinds_of_encoder(model: EncoderConfig) -> tuple[str, ...]:
    absent = {"head"} if model.family == "bert" else {"head", "pooler"}
    return tuple(kind for kind in KINDS if kind not in absent)


def _default_kinds(config: AdaptationConfig, model: EncoderConfig) -> tuple[str, ...]:
    if config.granularity == "head":
        return ("query", "key", "value")
    return _kinds_of_encoder(model)
