"""Mask transforms: a factory for each binarizer."""

import math
from collections.abc import Callable
from typing import Literal

import jax
from jax.flatten_util import ravel_pytree

from maskjax.masking import binarizers, initializers
from maskjax.masking.binarizers import THRESHOLD, Gradient
from maskjax.masking.checks import check_number
from maskjax.masking.granularity import PER_WEIGHT, Granularity
from maskjax.masking.initializers import KEEPS_ALL, SPREAD, Initializers
from maskjax.masking.paths import fold_in_path
from maskjax.masking.placement import gather, place_like
from maskjax.masking.selection import Where
from maskjax.masking.transform import (
    KERNELS,
    Binarize,
    Masks,
    MaskTransform,
    Scores,
    mask_transform,
)


def threshold_mask(
    sparsity: float = 0.05,
    *,
    threshold: float = THRESHOLD,
    initializer: Initializers | None = None,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """The paper's masking: M = 1[S > τ], identity straight-through, uniform initialization.

    Args:
        sparsity: Initial fraction of zeros, in (0, 1].
        threshold: τ.
        initializer: An initializer instead of the paper's; `sparsity` is then not used.
        where: Selects the masked leaves by path, as in `mask_transform`.
        granularity: How many weights share one score.

    Returns:
        The transform.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"dense": {"kernel": jnp.ones((64, 64)), "bias": jnp.zeros(64)}}
        >>> transform = threshold_mask(sparsity=0.25)
        >>> scores = transform.init(jax.random.key(0), params)
        >>> list(scores), scores["dense/kernel"].dtype
        (['dense/kernel'], dtype('float32'))
        >>> masked = transform.apply(scores, params)
        >>> f"{float((masked['dense']['kernel'] == 0).mean()):.2f}"
        '0.25'
    """
    check_number("threshold", threshold)
    init = _or_default(initializer, lambda: initializers.uniform(sparsity, threshold=threshold))
    binarize = _leafwise(lambda s: binarizers.hard_threshold(s, threshold))
    return mask_transform(binarize, init, where=where, granularity=granularity)


def sign_mask(
    sparsity: float = 0.05,
    *,
    initializer: Initializers | None = None,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """M = 1[S > 0] with gradient zero where |S| ≥ 1 (second scheme of the reference code).

    Args:
        sparsity: Initial fraction of zeros, in (0, 1].
        initializer: An initializer instead of the uniform one; `sparsity` is then not used.
        where: Selects the masked leaves by path, as in `mask_transform`.
        granularity: How many weights share one score.

    Returns:
        The transform.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"kernel": jnp.array([2.0, 3.0])}
        >>> sign_mask().apply({"kernel": jnp.array([0.1, -0.1])}, params)["kernel"].tolist()
        [2.0, 0.0]
    """
    spread = min(SPREAD, sparsity)  # keeps initial scores below 1, where gradients are zero
    init = _or_default(
        initializer, lambda: initializers.uniform(sparsity, threshold=0.0, spread=spread)
    )
    binarize = _leafwise(binarizers.clipped_sign)
    return mask_transform(binarize, init, where=where, granularity=granularity)


def bernoulli_mask(
    sparsity: float = 0.05,
    *,
    gradient: Gradient = "identity",
    initializer: Initializers | None = None,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """M ~ Bernoulli(σ(S)) in training (pass `key`), 1[σ(S) > ½] otherwise (third scheme).

    Args:
        sparsity: Initial probability of a zero, in (0, 1).
        gradient: `identity` passes ∂L/∂M to the scores unchanged, as the paper's reference code
            does; `sigmoid` multiplies it by σ'(S), the slope of the probability.
        initializer: An initializer instead of the constant logit; `sparsity` is then not used.
        where: Selects the masked leaves by path, as in `mask_transform`.
        granularity: How many weights share one score.

    Returns:
        The transform. Each leaf is sampled with its own key.

    Raises:
        ValueError: If `sparsity` is used and not in (0, 1), or the gradient is unknown.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"kernel": jnp.ones(1000)}
        >>> transform = bernoulli_mask(sparsity=0.25, where="kernel")
        >>> scores = transform.init(jax.random.key(0), params)
        >>> sampled = transform.apply(scores, params, key=jax.random.key(1))["kernel"]
        >>> 0.2 < float((sampled == 0).mean()) < 0.3
        True
        >>> bool(transform.masks(scores, params)["kernel"].all())
        True
    """
    binarizers.check_gradient(gradient)
    init = _or_default(initializer, lambda: _constant_logit(sparsity))

    def binarize(scores: Scores, key: jax.Array | None) -> Masks:
        keys = {path: None if key is None else fold_in_path(key, path) for path in scores}
        return {
            path: binarizers.bernoulli(s, keys[path], gradient=gradient)
            for path, s in scores.items()
        }

    return mask_transform(binarize, init, where=where, granularity=granularity)


def top_k_mask(
    sparsity: float = 0.05,
    *,
    scope: Literal["matrix", "global"] = "matrix",
    initializer: Initializers | None = None,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """Drops an exact fraction of the scores, the smallest ones, per matrix or globally.

    Args:
        sparsity: Fraction of zeros, in [0, 1], constant throughout training.
        scope: Whether the fraction is dropped from each leaf, or from all leaves together.
        initializer: An initializer instead of the paper's uniform one.
        where: Selects the masked leaves by path, as in `mask_transform`.
        granularity: How many weights share one score.

    Returns:
        The transform.

    Raises:
        ValueError: If `sparsity` is not in [0, 1].

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"kernel": jnp.ones(4)}
        >>> scores = {"kernel": jnp.array([0.3, 0.1, 0.4, 0.2])}
        >>> top_k_mask(sparsity=0.5).apply(scores, params)["kernel"].tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"Expected a sparsity in [0, 1], got {sparsity} instead.")
    init = _or_default(initializer, initializers.uniform)

    def keep_largest(scores: jax.Array) -> jax.Array:
        return binarizers.top_k(scores, round((1 - sparsity) * scores.size))

    def keep_largest_globally(scores: Scores, key: jax.Array | None) -> Masks:
        del key
        flat, unravel = ravel_pytree({path: gather(s) for path, s in scores.items()})
        masks = unravel(keep_largest(flat))
        return {path: place_like(mask, scores[path]) for path, mask in masks.items()}

    binarize = _leafwise(keep_largest) if scope == "matrix" else keep_largest_globally
    return mask_transform(binarize, init, where=where, granularity=granularity)


def _leafwise(binarizer: Callable[[jax.Array], jax.Array]) -> Binarize:
    def binarize(scores: Scores, key: jax.Array | None) -> Masks:
        del key
        return {path: binarizer(s) for path, s in scores.items()}

    return binarize


def _or_default(
    initializer: Initializers | None, default: Callable[[], Initializers]
) -> Initializers:
    """The given initializer; the default is built, and its numbers checked, only without one."""
    return default() if initializer is None else initializer


def _constant_logit(sparsity: float) -> Initializers:
    if not 0 < sparsity < 1:
        raise ValueError(f"Expected a sparsity in (0, 1), got {sparsity} instead; {KEEPS_ALL}.")
    return initializers.constant(math.log((1 - sparsity) / sparsity))
