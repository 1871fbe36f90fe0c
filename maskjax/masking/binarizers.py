"""Binarisers: real scores to 0/1 masks, each with its straight-through gradient in the op itself.

A binariser here is a function of one array of scores. Masks are float arrays of exactly 0 and 1
in the dtype of the scores: 1 keeps a weight, 0 drops it. The gradients cannot be forgotten by a
caller, because each one is a `jax.custom_vjp`.

References:
    Bengio et al., 2013, https://arxiv.org/abs/1308.3432 (straight-through estimators).
    Zhao et al., 2020, https://arxiv.org/abs/2004.12406 (thresholded scores over BERT).
"""

from functools import partial

import jax
import jax.numpy as jnp

THRESHOLD = 1e-2
"""The paper's global threshold τ."""


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def hard_threshold(scores: jax.Array, threshold: float = THRESHOLD) -> jax.Array:
    """The paper's binariser: M = 1[S > τ], with ∂L/∂S := ∂L/∂M.

    Args:
        scores: Real scores, any shape, float.
        threshold: τ. A score equal to it drops the weight.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Example:
        >>> hard_threshold(jnp.array([-1.0, 0.01, 0.02])).tolist()
        [0.0, 0.0, 1.0]
        >>> jax.grad(lambda s: (3.0 * hard_threshold(s)).sum())(jnp.zeros(2)).tolist()
        [3.0, 3.0]
    """
    return (scores > threshold).astype(scores.dtype)


def _hard_threshold_fwd(scores: jax.Array, threshold: float) -> tuple[jax.Array, None]:
    return hard_threshold(scores, threshold), None


def _hard_threshold_bwd(threshold: float, _: None, gradient: jax.Array) -> tuple[jax.Array]:
    del threshold
    return (gradient,)


hard_threshold.defvjp(_hard_threshold_fwd, _hard_threshold_bwd)


@jax.custom_vjp
def clipped_sign(scores: jax.Array) -> jax.Array:
    """M = 1[S > 0], with ∂L/∂S := ∂L/∂M where |S| < 1 and 0 elsewhere.

    Scores that have gone further than 1 to either side stop moving, as in BinaryConnect and in
    the second masking scheme of the paper's reference code.

    Args:
        scores: Real scores, any shape, float.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Example:
        >>> clipped_sign(jnp.array([-0.5, 0.0, 2.0])).tolist()
        [0.0, 0.0, 1.0]
        >>> jax.grad(lambda s: clipped_sign(s).sum())(jnp.array([-0.5, 2.0])).tolist()
        [1.0, 0.0]
    """
    return (scores > 0).astype(scores.dtype)


def _clipped_sign_fwd(scores: jax.Array) -> tuple[jax.Array, jax.Array]:
    return clipped_sign(scores), jnp.abs(scores) < 1


def _clipped_sign_bwd(inside: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(inside, gradient, jnp.zeros_like(gradient)),)


clipped_sign.defvjp(_clipped_sign_fwd, _clipped_sign_bwd)


@jax.custom_vjp
def _exceeds(probability: jax.Array, draw: jax.Array) -> jax.Array:
    """1[draw < probability], straight-through to the probability."""
    return (draw < probability).astype(probability.dtype)


def _exceeds_fwd(probability: jax.Array, draw: jax.Array) -> tuple[jax.Array, None]:
    return _exceeds(probability, draw), None


def _exceeds_bwd(_: None, gradient: jax.Array) -> tuple[jax.Array, None]:
    return gradient, None


_exceeds.defvjp(_exceeds_fwd, _exceeds_bwd)


def bernoulli(scores: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """M ~ Bernoulli(σ(S)), straight-through to the probability: ∂L/∂S := ∂L/∂M · σ'(S).

    With a key the mask is sampled, for training; without one it is the likelier value,
    1[σ(S) > ½], so that evaluation is deterministic.

    Args:
        scores: Logits of the probability to keep, any shape, float.
        key: A random key, or None for the deterministic mask.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Example:
        >>> bernoulli(jnp.array([-3.0, 0.0, 3.0])).tolist()
        [0.0, 0.0, 1.0]
        >>> float(bernoulli(jnp.zeros(10_000), jax.random.key(0)).mean().round(1))
        0.5
    """
    probability = jax.nn.sigmoid(scores)
    if key is None:
        draw = jnp.full_like(probability, 0.5)
    else:
        draw = jax.random.uniform(key, scores.shape, scores.dtype)
    return _exceeds(probability, draw)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def top_k(scores: jax.Array, keep: int) -> jax.Array:
    """Keeps exactly the `keep` largest scores, with ∂L/∂S := ∂L/∂M.

    Args:
        scores: Real scores, any shape, float.
        keep: How many ones the mask has; among equal scores the earlier one is kept.

    Returns:
        The mask, in the shape and dtype of `scores`.

    Raises:
        ValueError: If `keep` is not between 0 and the number of scores.

    Example:
        >>> top_k(jnp.array([[3.0, 1.0], [2.0, 1.0]]), 3).tolist()
        [[1.0, 1.0], [1.0, 0.0]]
    """
    if not 0 <= keep <= scores.size:
        raise ValueError(f"Expected keep in [0, {scores.size}], got {keep} instead.")
    order = jnp.argsort(-scores.ravel(), stable=True)
    mask = jnp.zeros(scores.size, scores.dtype).at[order[:keep]].set(1)
    return mask.reshape(scores.shape)


def _top_k_fwd(scores: jax.Array, keep: int) -> tuple[jax.Array, None]:
    return top_k(scores, keep), None


def _top_k_bwd(keep: int, _: None, gradient: jax.Array) -> tuple[jax.Array]:
    del keep
    return (gradient,)


top_k.defvjp(_top_k_fwd, _top_k_bwd)
