"""Score initializers, which define the mask before the first step.

An initializer is a function `(key, magnitude) -> scores`. `magnitude` is the absolute value of
the weights in the shape of the scores (a mean, where several weights share one score); most
initializers use its shape only. All of them give float32 scores, whatever the weights' dtype.

`sparsity` is the fraction of initial scores at or below the threshold. The paper's initializer is
`uniform`; `magnitude`, `random_count` and `double_uniform` are the controlled ones of its reference
code, with exact counts, drawn without replacement; `constant` keeps every weight initially, and so
does `proportional`, in `maskjax.masking.proportional`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from maskjax.masking.binarizers import THRESHOLD
from maskjax.masking.checks import check_number
from maskjax.masking.packed.philox import WORDS, RandomMaskSpec, philox_words
from maskjax.masking.placement import gather

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Float32, Int, PRNGKeyArray, UInt32

Initializer = Callable[[jax.Array, jax.Array], jax.Array]
"""`(key, magnitude) -> scores`, both arrays of the same shape, scores in float32."""

KEEPS_ALL = "initializer=proportional() or constant(...) above the threshold keeps every weight"

Initializers = Initializer | Mapping[str, Initializer]
"""One for all leaves, or `{pattern: initializer}`, where the first full match of a path decides."""

SPREAD = 2e-2
"""The paper's lower end of the uniform initializer, as a distance below zero (c)."""


def uniform(
    sparsity: float = 0.05, *, threshold: float = THRESHOLD, spread: float = SPREAD
) -> Initializer:
    """The paper's initializer: S ~ U(−c, (c + τ)/p − c), a fraction p of which is at or below τ.

    The numbers are the words of a Philox stream, so that `random_mask_spec` can name the initial
    mask in twelve bytes.

    Args:
        sparsity: p, in (0, 1].
        threshold: τ.
        spread: c, greater than −τ. A larger one increases the distances from the threshold.

    Returns:
        An initializer whose sparsity is p in expectation.

    Raises:
        ValueError: If `sparsity` is not in (0, 1] or the range is empty.

    Example:
        >>> scores = uniform(0.05)(jax.random.key(0), jnp.ones(100_000))
        >>> f"{float((scores <= 0.01).mean()):.2f}"
        '0.05'
    """
    if not 0 < sparsity <= 1:
        raise ValueError(f"Expected a sparsity in (0, 1], got {sparsity} instead; {KEEPS_ALL}.")
    check_number("threshold", threshold)
    check_number("spread", spread)
    if spread + threshold <= 0:
        raise ValueError(f"Expected spread > {-threshold} (−threshold), got {spread} instead.")
    high = (spread + threshold) / sparsity - spread

    def init(key: PRNGKeyArray, magnitude: Float[Array, "*shape"]) -> Float32[Array, "*shape"]:
        words = philox_words(_key_words(key), magnitude.size).reshape(magnitude.shape)
        scale = (high + spread) / WORDS
        # Not words · scale − spread: a compiler may fuse that and change its rounding.
        return (words.astype(jnp.float32) - jnp.float32(spread / scale)) * jnp.float32(scale)

    return init


def random_mask_spec(key: PRNGKeyArray, sparsity: float) -> RandomMaskSpec:
    """The initial mask of a leaf whose initializer is `uniform(sparsity)` with a key.

    The mask is computed with integers. The scores are float32 numbers, whose rounding may move a
    score next to the threshold to its other side: one in some ten million.

    Example:
        >>> random_mask_spec(jax.random.key(0), 0.25).cutoff == 2**30
        True
    """
    k0, k1 = (int(word) for word in _key_words(key))
    return RandomMaskSpec((k0, k1), min(int(sparsity * WORDS), WORDS - 1))


def constant(score: float) -> Initializer:
    """Initializes every score to the same value, for example a margin above τ: a mask of ones.

    Args:
        score: The value, finite.

    Returns:
        An initializer.

    Raises:
        ValueError: If the value is NaN or infinite.

    Example:
        >>> constant(0.5)(jax.random.key(0), jnp.ones(2)).tolist()
        [0.5, 0.5]
    """
    check_number("score", score)

    def init(key: PRNGKeyArray, magnitude: Float[Array, "*shape"]) -> Float32[Array, "*shape"]:
        del key
        return jnp.full(magnitude.shape, score, jnp.float32)

    return init


def magnitude(sparsity: float, *, threshold: float = THRESHOLD) -> Initializer:
    """Drops the smallest weights: their initial scores are 0, all others 2τ.

    Args:
        sparsity: Fraction of zeros, in [0, 1]; the count is rounded to the nearest integer.
        threshold: τ, greater than 0.

    Returns:
        An initializer with an exact count of zeros; among equals the earlier weight is dropped.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> scores = magnitude(0.5)(jax.random.key(0), jnp.array([3.0, 1.0, 2.0, 4.0]))
        >>> (scores > 0.01).tolist()
        [True, False, False, True]
    """
    _check(sparsity, threshold)

    def init(key: PRNGKeyArray, magnitude: Float[Array, "*shape"]) -> Float32[Array, "*shape"]:
        del key
        order = jnp.argsort(gather(magnitude).ravel(), stable=True)
        dropped = _select_first(order, sparsity, magnitude.shape)
        return jnp.where(dropped, jnp.float32(0), jnp.float32(2 * threshold))

    return init


def random_count(sparsity: float, *, threshold: float = THRESHOLD) -> Initializer:
    """Drops an exact count of weights at random: initial scores are 0 or 2τ.

    Example:
        >>> scores = random_count(0.25)(jax.random.key(0), jnp.ones((4, 4)))
        >>> int((scores == 0).sum())
        4
    """
    _check(sparsity, threshold)

    def init(key: PRNGKeyArray, magnitude: Float[Array, "*shape"]) -> Float32[Array, "*shape"]:
        dropped = _random_positions(key, sparsity, magnitude.shape)
        return jnp.where(dropped, jnp.float32(0), jnp.float32(2 * threshold))

    return init


def double_uniform(sparsity: float, *, threshold: float = THRESHOLD) -> Initializer:
    """Two bands around τ: dropped scores in U(0.5 τ, 0.9 τ), kept ones in U(1.1 τ, 1.5 τ).

    Example:
        >>> scores = double_uniform(0.5)(jax.random.key(0), jnp.ones(1000))
        >>> int((scores <= 0.01).sum()), bool(scores.max() < 0.0151)
        (500, True)
    """
    _check(sparsity, threshold)

    def init(key: PRNGKeyArray, magnitude: Float[Array, "*shape"]) -> Float32[Array, "*shape"]:
        position_key, value_key = jax.random.split(key)
        dropped = _random_positions(position_key, sparsity, magnitude.shape)
        offset = jax.random.uniform(value_key, magnitude.shape, jnp.float32, 0, 0.4 * threshold)
        return offset + jnp.where(dropped, jnp.float32(0.5), jnp.float32(1.1)) * threshold

    return init


def _key_words(key: PRNGKeyArray) -> UInt32[Array, 2]:
    return jax.random.bits(key, (2,), jnp.uint32)


def _check(sparsity: float, threshold: float) -> None:
    if not 0 <= sparsity <= 1:
        raise ValueError(f"Expected a sparsity in [0, 1], got {sparsity} instead.")
    check_number("threshold", threshold)
    if threshold <= 0:
        raise ValueError(f"Expected a threshold > 0, got {threshold} instead.")


def _random_positions(
    key: PRNGKeyArray, sparsity: float, shape: tuple[int, ...]
) -> Bool[Array, ...]:
    return _select_first(jax.random.permutation(key, math.prod(shape)), sparsity, shape)


def _select_first(
    order: Int[Array, " size"], sparsity: float, shape: tuple[int, ...]
) -> Bool[Array, ...]:
    """True at the positions that come first in `order`, a fraction `sparsity` of them."""
    size = math.prod(shape)
    dropped = jnp.arange(size) < round(sparsity * size)
    return jnp.zeros(size, bool).at[order].set(dropped).reshape(shape)
