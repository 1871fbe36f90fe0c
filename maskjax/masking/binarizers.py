"""Binarizers: real scores to 0/1 masks, with straight-through gradients in the op itself.

A binarizer is a function of one array of scores. Masks are float arrays of exactly 0 and 1 in the
dtype of the scores: 1 keeps a weight, 0 drops it. A score that is NaN is an error if its value is
known, and makes the mask NaN under `jax.jit`, so that the loss is NaN too. The gradients are part
of the op, as a `jax.custom_vjp`.

That has no forward mode: `jax.jvp`, `jax.jacfwd` and forward over reverse raise a TypeError.
Reverse over reverse works. For finite scores, these two lines have the same values and gradients,
and also a forward mode:

    mask = (scores > threshold).astype(scores.dtype)
    mask = jax.lax.stop_gradient(mask) + (scores - jax.lax.stop_gradient(scores))

References:
    Bengio et al., 2013, https://arxiv.org/abs/1308.3432 (straight-through estimators).
    Zhao et al., 2020, https://arxiv.org/abs/2004.12406 (thresholded scores over BERT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from maskjax.masking.checks import check_floating, check_no_nan
from maskjax.masking.placement import gather, place_like

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, PRNGKeyArray

THRESHOLD = 1e-2
"""The paper's global threshold τ."""
Gradient = Literal["identity", "sigmoid"]
"""The gradient of Bernoulli scores, as a function of the gradient of the mask."""


def hard_threshold(
    scores: Float[Array, "*shape"], threshold: jax.typing.ArrayLike = THRESHOLD
) -> Float[Array, "*shape"]:
    """The paper's binarizer: M = 1[S > τ], with ∂L/∂S := ∂L/∂M.

    Args:
        scores: Real scores, any shape, float.
        threshold: τ. A score equal to it drops the weight. No gradient flows into it.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Raises:
        ValueError: If scores are not floating, or a score or τ is known to be NaN.

    Example:
        >>> hard_threshold(jnp.array([-1.0, 0.01, 0.02])).tolist()
        [0.0, 0.0, 1.0]
        >>> jax.grad(lambda s: (3.0 * hard_threshold(s)).sum())(jnp.zeros(2)).tolist()
        [3.0, 3.0]
    """
    _check(scores)
    check_no_nan("threshold", threshold)
    bound = jnp.asarray(threshold, scores.dtype)
    return _straight_through(scores, _bits(stop_gradient(scores) > bound, scores, bound))


def clipped_sign(scores: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """M = 1[S > 0], with ∂L/∂S := ∂L/∂M where |S| < 1 and 0 elsewhere.

    Scores beyond ±1 get no gradient, as in BinaryConnect and in the second masking scheme of the
    paper's reference code.

    Args:
        scores: Real scores, any shape, float.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Raises:
        ValueError: If scores are not floating, or a score is known to be NaN.

    Example:
        >>> clipped_sign(jnp.array([-0.5, 0.0, 2.0])).tolist()
        [0.0, 0.0, 1.0]
        >>> jax.grad(lambda s: clipped_sign(s).sum())(jnp.array([-0.5, 2.0])).tolist()
        [1.0, 0.0]
    """
    _check(scores)
    moving = jnp.where(jnp.abs(scores) < 1, scores, stop_gradient(scores))
    return _straight_through(moving, _bits(stop_gradient(scores) > 0, scores))


def bernoulli(
    scores: Float[Array, "*shape"],
    key: PRNGKeyArray | None = None,
    *,
    gradient: Gradient = "identity",
) -> Float[Array, "*shape"]:
    """M ~ Bernoulli(σ(S)), with ∂L/∂S := ∂L/∂M, or ∂L/∂M · σ'(S).

    With a key the mask is sampled, for training; without one it is the likelier value,
    1[σ(S) > ½], so that evaluation is deterministic.

    Args:
        scores: Logits of the probability to keep, any shape, float.
        key: A random key, or None for the deterministic mask.
        gradient: `identity` passes ∂L/∂M to the scores unchanged, as the paper's reference code
            does; `sigmoid` passes it through the probability, multiplied by σ' = σ (1 − σ) ≤ ¼.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Raises:
        ValueError: If scores are not floating, a score is known to be NaN, or the gradient is
            neither of the two.

    Example:
        >>> bernoulli(jnp.array([-3.0, 0.0, 3.0])).tolist()
        [0.0, 0.0, 1.0]
        >>> float(bernoulli(jnp.zeros(10_000), jax.random.key(0)).mean().round(1))
        0.5
        >>> slope = jax.grad(lambda s, gradient: bernoulli(s, gradient=gradient))
        >>> float(slope(0.0, "identity")), float(slope(0.0, "sigmoid"))
        (1.0, 0.25)
    """
    scores = jnp.asarray(scores)
    _check(scores)
    check_gradient(gradient)
    probability = jax.nn.sigmoid(scores)
    if key is None:
        draw = jnp.full_like(probability, 0.5)
    else:
        draw = place_like(jax.random.uniform(key, scores.shape, scores.dtype), scores)
    mask = _bits(draw < stop_gradient(probability), scores)
    return _straight_through(scores if gradient == "identity" else probability, mask)


def top_k(scores: Float[Array, "*shape"], keep: int) -> Float[Array, "*shape"]:
    """Keeps exactly the `keep` largest scores, with ∂L/∂S := ∂L/∂M.

    Args:
        scores: Real scores, any shape, float.
        keep: The number of ones in the mask; among equal scores the earlier one is kept.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Raises:
        ValueError: If `keep` is not between 0 and the number of scores, scores are not floating, or
            a score is known to be NaN.

    Example:
        >>> top_k(jnp.array([[3.0, 1.0], [2.0, 1.0]]), 3).tolist()
        [[1.0, 1.0], [1.0, 0.0]]
    """
    _check(scores)
    if not 0 <= keep <= scores.size:
        raise ValueError(f"Expected keep in [0, {scores.size}], got {keep} instead.")
    order = jnp.argsort(-gather(stop_gradient(scores)).ravel(), stable=True)
    keep_mask = jnp.zeros(scores.size, bool).at[order].set(jnp.arange(scores.size) < keep)
    mask = place_like(keep_mask.reshape(scores.shape), scores)
    return _straight_through(scores, _bits(mask, scores))


def check_gradient(gradient: str) -> None:
    """Rejects unknown gradients."""
    if gradient not in ("identity", "sigmoid"):
        raise ValueError(f"Expected gradient to be 'identity' or 'sigmoid', got {gradient!r}.")


@jax.custom_vjp
def _straight_through(
    surrogate: Float[Array, "*shape"], mask: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Returns the mask, with its gradient passed to the surrogate unchanged."""
    del surrogate
    return mask


def _straight_through_fwd(surrogate: jax.Array, mask: jax.Array) -> tuple[jax.Array, None]:
    return _straight_through(surrogate, mask), None


def _straight_through_bwd(_: None, gradient: jax.Array) -> tuple[jax.Array, None]:
    return gradient, None


_straight_through.defvjp(_straight_through_fwd, _straight_through_bwd)


def _bits(
    keep: Bool[Array, "*shape"], scores: Float[Array, "*shape"], *numbers: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """Zeros and ones in the dtype of the scores; NaN where a score or one of the numbers is."""
    scores = stop_gradient(scores)
    mask = keep.astype(scores.dtype)
    for number in (scores, *numbers):
        mask = jnp.where(jnp.isnan(number), jnp.asarray(jnp.nan, scores.dtype), mask)
    return mask


def _check(scores: jax.Array) -> None:
    check_floating("scores", scores)
    check_no_nan("scores", scores)
