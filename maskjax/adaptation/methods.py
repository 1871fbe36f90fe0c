"""From a configuration to an adaptation: the paper's masking and what it is compared with."""

from maskjax.adaptation.adaptation import Adaptation, combine
from maskjax.adaptation.parts import lora, masking, train_weights
from maskjax.adaptation.selection import HEAD, chosen_blocks, chosen_kinds, masked_rules
from maskjax.adaptation.starts import make_start, sparsity_of
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import (
    PER_MATRIX,
    PER_WEIGHT,
    Granularity,
    MaskTransform,
    Rule,
    bernoulli_mask,
    encoder_rules,
    per_head,
    sign_mask,
    threshold_mask,
    top_k_mask,
)
from maskjax.models import EncoderConfig

WITH_HEADS = ("query", "key", "value", "attention_output")
"""Kinds whose kernels consist of attention heads."""


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
            kinds = chosen_kinds(config, model) or ("query", "value")
            rules = encoder_rules(kinds, blocks=chosen_blocks(config, model, 0))
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
    start = make_start(config)
    granularity = _granularity(config, model)
    common = {"where": where, "granularity": granularity, "initializer": start}
    sparsity = sparsity_of(config)
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
