"""From a configuration to an adaptation: the paper's masking and what it is compared with."""

from collections.abc import Iterable

import jax

from maskjax.adaptation.adaptation import Adaptation, combine
from maskjax.adaptation.parts import lora, masking, train_weights
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import (
    KINDS,
    PER_MATRIX,
    PER_WEIGHT,
    Granularity,
    MaskTransform,
    Rule,
    Start,
    bernoulli_mask,
    constant,
    double_uniform,
    encoder_rules,
    key_for_path,
    magnitude,
    per_head,
    proportional,
    random_count,
    sign_mask,
    start_of,
    threshold_mask,
    top_k_mask,
)
from maskjax.masking.initializers import Initializer
from maskjax.models import EncoderConfig

HEAD = f"{KINDS['head']}/(?:kernel|bias)"
"""Pattern of the randomly initialised leaves of all families."""

WITH_HEADS = ("query", "key", "value", "attention_output")
"""Kinds whose kernels consist of attention heads."""

SPARSITY = 0.05
"""The paper's fraction of zeros at the start."""

KEEPING = ("proportional", "ones")
"""Starts that keep every weight."""

UNFIT_STARTS = {
    "sign": ("double_uniform",),  # both bands lie above zero
    # Logits near zero are coin flips.
    "bernoulli": ("proportional", "ones", "magnitude", "random", "double_uniform"),
    "top_k": ("ones",),  # among equal scores the position would decide
    "global_top_k": ("ones",),
}
"""Starts that a binariser would take for something else."""


def make_adaptation(config: AdaptationConfig, model: EncoderConfig) -> Adaptation:
    """Builds the adaptation that a configuration asks for.

    Its trainable is a dict of parts: `scores`, `weights` or `lora`, and `head` where the head
    is trained, so that an optimiser can give the head a rate of its own.

    Args:
        config: The method and its settings.
        model: The encoder that it is for.

    Returns:
        The adaptation.

    Raises:
        InputError: If a setting does not fit the model.
    """
    head = train_weights([HEAD])
    match config.method:
        case "mask":
            scores = masking(make_mask_transform(config, model))
            return (
                combine(scores=scores)
                if config.head == "masked"
                else combine(head=head, scores=scores)
            )
        case "finetune":
            rest = [Rule(pattern=HEAD, select=False), ".*"]
            return combine(weights=train_weights(rest), head=head)
        case "head":
            return combine(head=head)
        case "bitfit":
            rest = [Rule(pattern=HEAD, select=False), ".*/bias"]
            return combine(weights=train_weights(rest), head=head)
        case "lora":
            kinds = _kinds(config, model) or ("query", "value")
            rules = encoder_rules(kinds, blocks=_blocks(config, model, 0))
            return combine(lora=lora(rules, rank=config.rank, alpha=config.alpha), head=head)


def make_mask_transform(config: AdaptationConfig, model: EncoderConfig) -> MaskTransform:
    """Builds the mask transform of a configuration, without a trained head.

    Args:
        config: Binariser, start, kinds, blocks, granularity and whether the head is masked.
        model: The encoder that it is for.

    Returns:
        The transform.

    Raises:
        InputError: If a setting does not fit the model.
    """
    where = masked_rules(config, model)
    start = _start(config)
    granularity = _granularity(config, model)
    common = {"where": where, "granularity": granularity, "initializer": start}
    sparsity = config.sparsity or SPARSITY
    match config.binarizer:
        case "threshold":
            return threshold_mask(sparsity, threshold=config.threshold, **common)
        case "sign":
            return sign_mask(sparsity, **common)
        case "bernoulli":
            return bernoulli_mask(sparsity, **common)
        case "top_k":
            return top_k_mask(sparsity, **common)
        case "global_top_k":
            return top_k_mask(sparsity, scope="global", **common)


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
    return _blocks(config, model, min(lowest, model.num_layers - 1))


def random_starts(
    config: AdaptationConfig, key: jax.Array, paths: Iterable[str]
) -> dict[str, Start]:
    """The masks that a run began with, where a few bytes can name them.

    Args:
        config: The method and its start.
        key: The key that `Adaptation.init` was given.
        paths: Of the masks.

    Returns:
        `{path: start}` for random starts of threshold and sign masks, one score a weight; else
        nothing.
    """
    named = (
        config.method == "mask"
        and config.start == "uniform"
        and config.binarizer in ("threshold", "sign")
        and config.granularity == "weight"
    )
    sparsity = config.sparsity or SPARSITY
    return {path: start_of(key_for_path(key, path), sparsity) for path in paths if named}


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
    kinds = _kinds(config, model) or _default_kinds(config, model)
    if config.head != "trained":
        kinds += ("head",)
    return encoder_rules(kinds, blocks=masked_blocks(config, model), biases=config.biases)


def _blocks(config: AdaptationConfig, model: EncoderConfig, lowest: int) -> range:
    first, last = config.blocks or (lowest, model.num_layers - 1)
    if not 0 <= first <= last < model.num_layers:
        raise InputError(
            f"adaptation.blocks: expected first <= last within 0..{model.num_layers - 1}, "
            f"got {first} {last}."
        )
    return range(first, last + 1)


def _kinds(config: AdaptationConfig, model: EncoderConfig) -> tuple[str, ...]:
    """The kinds that are asked for, if any."""
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


def _granularity(config: AdaptationConfig, model: EncoderConfig) -> Granularity:
    if config.granularity == "head":
        _check_heads(config)
    if config.granularity == "matrix" and config.binarizer == "top_k":
        raise InputError(
            "adaptation.granularity: top_k ranks the scores of a matrix, and matrix leaves one; "
            "use --adaptation.binarizer global_top_k."
        )
    return {
        "weight": PER_WEIGHT,
        "matrix": PER_MATRIX,
        "head": per_head(model.num_heads),
    }[config.granularity]


def _check_heads(config: AdaptationConfig) -> None:
    if config.head != "trained":
        raise InputError(
            "adaptation.granularity: the classification head has no attention heads to mask; "
            "add --adaptation.head trained."
        )
    without = [kind for kind in config.kinds if kind not in WITH_HEADS]
    if without:
        raise InputError(
            f"adaptation.kinds: granularity head needs some of {', '.join(WITH_HEADS)}, "
            f"got {', '.join(without)}."
        )
    if config.biases and "attention_output" in config.kinds:
        raise InputError(
            "adaptation.biases: the bias of attention_output has no attention heads; "
            "leave out this kind or the biases."
        )


def _start(config: AdaptationConfig) -> Initializer | None:
    """The start that is asked for; None leaves the binariser its own."""
    if config.start in UNFIT_STARTS.get(config.binarizer, ()):
        raise InputError(
            f"adaptation.start: {config.start} does not fit the scores of {config.binarizer}; "
            "use --adaptation.start uniform."
        )
    keeps_all = config.start in KEEPING and not config.binarizer.endswith("top_k")
    if keeps_all and config.sparsity is not None:
        raise InputError(
            f"adaptation.sparsity: the start {config.start} keeps every weight; leave it out, or "
            "use --adaptation.start uniform."
        )
    if config.protect and config.start != "proportional":
        raise InputError(
            f"adaptation.protect: the start {config.start} protects nothing; leave it out, or use "
            "--adaptation.start proportional."
        )
    threshold, sparsity = config.threshold, config.sparsity or SPARSITY
    match config.start:
        case "proportional":
            return proportional(config.margin, threshold=threshold, protect=config.protect)
        case "ones":
            return constant(threshold + config.margin)
        case "uniform":
            return None
        case "magnitude":
            return magnitude(sparsity, threshold=threshold)
        case "random":
            return random_count(sparsity, threshold=threshold)
        case "double_uniform":
            return double_uniform(sparsity, threshold=threshold)
