"""From a configuration to an adaptation: the paper's masking and what it is compared with."""

from collections.abc import Callable, Iterable, Mapping

import jax

from maskjax.adaptation.adaptation import Adaptation, Trainable, combine
from maskjax.adaptation.delta import Params
from maskjax.adaptation.mask_rules import (
    chosen_blocks,
    chosen_types,
    masked_rules,
    structured_rules,
    structured_types,
)
from maskjax.adaptation.score_init import make_initializer, sparsity_of
from maskjax.adaptation.transforms import fixed_masks, lora, masking, train_weights
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import (
    PER_MATRIX,
    PER_WEIGHT,
    Granularity,
    MaskTransform,
    Rule,
    bernoulli_mask,
    by_path,
    mean_sparsity,
    per_head,
    sign_mask,
    threshold_mask,
    top_k_mask,
)
from maskjax.masking.packed import PackedMask
from maskjax.models import EncoderConfig, Model, head_paths
from maskjax.models.matrix_types import encoder_rules

WITH_HEADS = ("query", "key", "value", "position_query", "position_key", "attention_output")
"""Matrix types whose kernels consist of attention heads."""


def make_adaptation(
    config: AdaptationConfig, model: Model, masks: Mapping[str, PackedMask] | None = None
) -> Adaptation:
    """Builds the adaptation that a configuration asks for.

    Its trainable is a dict of parts: `scores`, `weights` or `lora`, and `head` where the head
    is trained, so that an optimizer can give the head a rate of its own.

    Args:
        config: The method and its settings.
        model: The model that it is for.
        masks: What `config.masks` names, by path, which stays over the trained weights.

    Returns:
        The adaptation.

    Raises:
        InputError: If a setting does not fit the model.
        ValueError: If there are masks and the configuration names none, or the other way round.

    Example:
        >>> import jax
        >>> from maskjax.models import build_model, load_base, with_head
        >>> pretrained = load_base(base)
        >>> model = build_model(pretrained.config, num_outputs=2)
        >>> params = with_head(pretrained.params, model, jax.random.key(0))
        >>> adaptation = make_adaptation(AdaptationConfig(method="lora", rank=2), model)
        >>> trainable = adaptation.init(jax.random.key(1), params)
        >>> sorted(trainable)
        ['head', 'lora']
    """
    if (masks is None) != (config.masks is None):
        raise ValueError(f"Expected the masks of {config.masks}, got {masks and list(masks)}.")
    parts = _trained_parts(config, model)
    return combine(**parts) if masks is None else combine(**parts, fixed=fixed_masks(masks))


def make_mask_transform(config: AdaptationConfig, model: Model) -> MaskTransform:
    """Builds the mask transform of a configuration, without a trained head.

    Args:
        config: Binarizer, initializer, matrix types, blocks, granularity and whether the head is
            masked.
        model: The model that it is for.

    Returns:
        The transform.

    Raises:
        InputError: If a setting does not fit the model.

    Example:
        >>> from maskjax.models import build_model, load_base
        >>> model = build_model(load_base(base).config, num_outputs=2)
        >>> transform = make_mask_transform(AdaptationConfig(blocks=(1, 1)), model)
        >>> transform._fields
        ('init', 'apply', 'masks', 'float_masks')
    """
    where = _where(masked_rules(config, model), model)
    granularity = _granularity(config, model)
    initializer = make_initializer(config, model)
    common = {"where": where, "granularity": granularity, "initializer": initializer}
    sparsity = sparsity_of(config)
    match config.binarizer:
        case "threshold":
            return threshold_mask(sparsity, threshold=config.threshold, **common)
        case "sign":
            return sign_mask(sparsity, **common)
        case "bernoulli":
            return bernoulli_mask(sparsity, gradient=config.bernoulli_gradient, **common)
        case "top_k":
            return top_k_mask(sparsity, **common)
        case "global_top_k":
            return top_k_mask(sparsity, scope="global", **common)


def make_soft_sparsity(
    config: AdaptationConfig, model: Model
) -> Callable[[Trainable, Params], jax.Array]:
    """Builds the sparsity of what `make_adaptation` trains, for a penalty.

    Args:
        config: The method `mask` and its settings.
        model: The model that it is for.

    Returns:
        `(trainable, params) -> scalar`, the fraction of zeros of all masks, differentiable in the
        scores, straight-through.

    Raises:
        InputError: If a setting does not fit the model.
    """
    transform, paths = make_mask_transform(config, model), head_paths(model)

    def sparsity(trainable: Trainable, params: Params) -> jax.Array:
        if "head" in trainable:
            params = train_weights(paths).apply(trainable["head"], params)
        return mean_sparsity(transform.float_masks(trainable["scores"], params))

    return sparsity


def _trained_parts(config: AdaptationConfig, model: Model) -> dict[str, Adaptation]:
    """What is trained, by name, in the order of a `Delta`."""
    paths = head_paths(model)
    encoder = [Rule(pattern=path, select=False) for path in paths]
    masked = config.method == "mask" or config.masks is not None
    frozen = masked and config.head == "masked"
    head = {} if frozen else {"head": train_weights(paths)}
    match config.method:
        case "mask":
            return {**head, "scores": masking(make_mask_transform(config, model))}
        case "finetune":
            return {"weights": train_weights([*encoder, *_where([".*"], model)]), **head}
        case "head":
            return head
        case "bitfit":
            return {"weights": train_weights([*encoder, *_where([".*/bias"], model)]), **head}
        case "lora":
            types = chosen_types(config, model) or ("query", "value")
            rules = encoder_rules(types, blocks=chosen_blocks(config, model.config, 0))
            where = _where(rules, model)
            return {"lora": lora(where, rank=config.rank, alpha=config.alpha), **head}


def _where(patterns: Iterable[str], model: Model) -> list[Rule]:
    """Rules that select patterns; paths of an unshared block get what is their own."""
    untie = model.config.sharing == "unshared"
    return [Rule(pattern=pattern, untie=untie) for pattern in patterns]


def _granularity(config: AdaptationConfig, model: Model) -> Granularity:
    types = structured_types(config, model)
    if config.granularity == "head":
        _check_heads(types, config.biases)
    if config.granularity == "matrix" and config.binarizer == "top_k":
        raise InputError(
            "adaptation.granularity: top_k ranks the scores of a matrix, and matrix leaves one; "
            "use --adaptation.binarizer global_top_k."
        )
    shared = _per_head(model.config) if config.granularity == "head" else PER_MATRIX
    choices = dict.fromkeys(structured_rules(config, model), shared)
    return by_path({**choices, ".*": PER_WEIGHT})


def _per_head(encoder: EncoderConfig) -> Granularity:
    """A score for each head, of which keys and values may have fewer than queries."""
    shared = per_head(encoder.num_kv_heads)
    return by_path({r".*/(?:key|value)/\w+": shared, ".*": per_head(encoder.num_heads)})


def _check_heads(types: tuple[str, ...], biases: bool) -> None:
    if "head" in types:
        raise InputError(
            "adaptation.granularity: the classification head has no attention heads to mask; "
            "add --adaptation.head trained, or --adaptation.structured query key value."
        )
    without = [name for name in types if name not in WITH_HEADS]
    if without:
        raise InputError(
            f"adaptation.matrix_types: granularity head needs some of {', '.join(WITH_HEADS)}, "
            f"got {', '.join(without)}; or name those that have heads in --adaptation.structured."
        )
    if biases and "attention_output" in types:
        raise InputError(
            "adaptation.biases: the bias of attention_output has no attention heads; "
            "leave out this matrix type or the biases."
        )
