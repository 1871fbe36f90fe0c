"""Sparsity schedules, and a Lagrangian penalty that drives a mask to a target sparsity.

A schedule is a function `step -> sparsity` that works on Python ints and inside `jax.jit`.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Schedule = Callable[[jax.typing.ArrayLike], jax.Array]


def constant_sparsity(sparsity: float) -> Schedule:
    """The same target at every step.

    Args:
        sparsity: The target, in [0, 1].

    Returns:
        A schedule.

    Raises:
        ValueError: If the target is out of range.

    Example:
        >>> float(constant_sparsity(0.5)(100))
        0.5
    """
    _check_fraction(sparsity)
    return lambda step: jnp.full_like(step, sparsity, jnp.float32)


def cubic_sparsity(initial: float, final: float, *, begin: int, end: int) -> Schedule:
    """The cubic schedule s(t) = final + (initial − final)(1 − (t − begin)/(end − begin))³.

    It changes fast at first, while many weights are redundant, and slowly near the target; it is
    constant before `begin` and after `end`.

    Args:
        initial: Sparsity up to step `begin`.
        final: Sparsity from step `end` on.
        begin: First step of the ramp.
        end: Last step of the ramp, greater than `begin`.

    Returns:
        A schedule.

    Raises:
        ValueError: If a sparsity is out of range or the ramp is empty.

    References:
        Zhu and Gupta, To prune, or not to prune, 2017, https://arxiv.org/abs/1710.01878.

    Example:
        >>> [round(float(cubic_sparsity(0.0, 0.8, begin=0, end=10)(t)), 2) for t in (0, 5, 10)]
        [0.0, 0.7, 0.8]
    """
    _check_fraction(initial)
    _check_fraction(final)
    if end <= begin:
        raise ValueError(f"Expected end > begin, got begin {begin} and end {end} instead.")

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        progress = (jnp.asarray(step, jnp.float32) - begin) / (end - begin)
        return final + (initial - final) * (1 - jnp.clip(progress, 0, 1)) ** 3

    return schedule


def stepwise_sparsity(sparsities: Sequence[float], boundaries: Sequence[int]) -> Schedule:
    """A step function: `sparsities[i + 1]` holds from step `boundaries[i]` on.

    Args:
        sparsities: The values, one more than boundaries.
        boundaries: Steps in ascending order.

    Returns:
        A schedule.

    Raises:
        ValueError: If the lengths do not fit, a value is out of range, or the boundaries do not
            ascend.

    Example:
        >>> stairs = stepwise_sparsity([0.0, 0.5], [10])
        >>> float(stairs(9)), float(stairs(10))
        (0.0, 0.5)
    """
    for sparsity in sparsities:
        _check_fraction(sparsity)
    if len(sparsities) != len(boundaries) + 1:
        raise ValueError(
            f"Expected {len(boundaries) + 1} sparsities for {len(boundaries)} boundaries, "
            f"got {len(sparsities)} instead."
        )
    if list(boundaries) != sorted(set(boundaries)):
        raise ValueError(f"Expected ascending boundaries, got {list(boundaries)} instead.")
    stairs = jnp.asarray(sparsities, jnp.float32)
    edges = jnp.asarray(boundaries, jnp.float32)

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        return stairs[jnp.searchsorted(edges, jnp.asarray(step, jnp.float32), side="right")]

    return schedule


@jax.custom_vjp
def lagrangian_penalty(
    multiplier: jax.Array, current: jax.Array, target: jax.typing.ArrayLike
) -> jax.Array:
    """λ (target − current)², whose gradient in λ is reversed.

    Add it to the loss and train λ with the same optimizer as the scores: descent then lowers the
    penalty in the scores and **ascends** in λ, so λ grows until the target is met.

    Args:
        multiplier: λ, a float32 scalar, 0 at the start.
        current: The mask's sparsity, differentiable in the scores (`mean_sparsity`).
        target: The sparsity to reach, from a schedule; no gradient flows into it.

    Returns:
        The penalty, a float32 scalar.

    Example:
        >>> both = jax.grad(lagrangian_penalty, argnums=(0, 1))
        >>> [float(g) for g in both(jnp.float32(2), jnp.float32(0), 0.5)]
        [-0.25, -2.0]
    """
    return multiplier * (target - current) ** 2


def _penalty_fwd(
    multiplier: jax.Array, current: jax.Array, target: jax.typing.ArrayLike
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    gap = jnp.asarray(target, current.dtype) - current
    return multiplier * gap**2, (multiplier, gap)


def _penalty_bwd(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, None]:
    multiplier, gap = residuals
    return -gradient * gap**2, -2 * gradient * multiplier * gap, None


lagrangian_penalty.defvjp(_penalty_fwd, _penalty_bwd)


def _check_fraction(sparsity: float) -> None:
    if not 0 <= sparsity <= 1:
        raise ValueError(f"Expected a sparsity in [0, 1], got {sparsity} instead.")
