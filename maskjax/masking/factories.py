"""The transforms that there are: one factory for each way to make bits of scores."""

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
    """The paper's masking: M = 1[S > τ], identity straight-through, uniform start.

    Args:
        sparsity: Fraction of zeros at the start, in (0, 1].
        threshold: τ.
        initializer: Another start than the paper's; `sparsity` is then not used.
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
    start = _or(initializer, lambda: initializers.uniform(sparsity, threshold=threshold))
    binarize = _leafwise(lambda s: binarizers.hard_threshold(s, threshold))
    return mask_transform(binarize, start, where=where, granularity=granularity)


def sign_mask(
    sparsity: float = 0.05,
    *,
    initializer: Initializers | None = None,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """M = 1[S > 0] with gradient zero where |S| ≥ 1 (second scheme of the reference code).

    Args:
        sparsity: Fraction of zeros at the start, in (0, 1].
        initializer: Another start than the uniform one; `sparsity` is then not used.
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
    spread = min(SPREAD, sparsity)  # so that no score starts at 1 or above, where none moves
    start = _or(initializer, lambda: initializers.uniform(sparsity, threshold=0.0, spread=spread))
    binarize = _leafwise(binarizers.clipped_sign)
    return mask_transform(binarize, start, where=where, granularity=granularity)


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
        sparsity: Probability of a zero at the start, in (0, 1).
        gradient: `identity` hands the scores ∂L/∂M unchanged, as the paper's reference code does;
            `sigmoid` multiplies it by σ'(S), the slope of the probability.
        initializer: Another start than the constant logit; `sparsity` is then not used.
        where: Selects the masked leaves by path, as in `mask_transform`.
        granularity: How many weights share one score.

    Returns:
        The transform. Each leaf is sampled with its own key.

    Raises:
        ValueError: If `sparsity` is used and not in (0, 1), or the gradient is not known.

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
    start = _or(initializer, lambda: _logit_start(sparsity))

    def binarize(scores: Scores, key: jax.Array | None) -> Masks:
        keys = {path: None if key is None else fold_in_path(key, path) for path in scores}
        return {
            path: binarizers.bernoulli(s, keys[path], gradient=gradient)
            for path, s in scores.items()
        }

    return mask_transform(binarize, start, where=where, granularity=granularity)


def top_k_mask(
    sparsity: float = 0.05,
    *,
    scope: Literal["matrix", "global"] = "matrix",
    initializer: Initializers | None = None,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """Drops an exact fraction of the scores, the smallest, of each matrix or of all together.

    Args:
        sparsity: Fraction of zeros, in [0, 1], held throughout training.
        scope: Whether each leaf drops that fraction or all leaves together do.
        initializer: Another start than the paper's uniform one.
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
    start = _or(initializer, initializers.uniform)

    def each(scores: jax.Array) -> jax.Array:
        return binarizers.top_k(scores, round((1 - sparsity) * scores.size))

    def together(scores: Scores, key: jax.Array | None) -> Masks:
        del key
        flat, unravel = ravel_pytree({path: gather(s) for path, s in scores.items()})
        return {path: place_like(m, scores[path]) for path, m in unravel(each(flat)).items()}

    binarize = _leafwise(each) if scope == "matrix" else together
    return mask_transform(binarize, start, where=where, granularity=granularity)


def _leafwise(binarizer: Callable[[jax.Array], jax.Array]) -> Binarize:
    def binarize(scores: Scores, key: jax.Array | None) -> Masks:
        del key
        return {path: binarizer(s) for path, s in scores.items()}

    return binarize


def _or(initializer: Initializers | None, default: Callable[[], Initializers]) -> Initializers:
    """The start that was asked for; only without one do the numbers of the default matter."""
    return default() if initializer is None else initializer


def _logit_start(sparsity: float) -> Initializers:
    if not 0 < sparsity < 1:
        raise ValueError(f"Expected a sparsity in (0, 1), got {sparsity} instead; {KEEPS_ALL}.")
    return initializers.constant(math.log((1 - sparsity) / sparsity))
