"""Masks that are driven to a target sparsity by a Lagrange multiplier.

The loss gets λ (target − sparsity)². The scores descend in it and λ ascends, so that λ grows for as
long as the mask is off its target, until the penalty weighs as much as the task.
"""

import jax
import jax.numpy as jnp

from maskjax.adaptation.adaptation import Adaptation, Trainable
from maskjax.adaptation.delta import Delta, Params
from maskjax.adaptation.starts import KEEPING, sparsity_of
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import (
    constant_sparsity,
    cubic_sparsity,
    lagrangian_penalty,
    stepwise_sparsity,
)
from maskjax.masking.schedules import Schedule

MULTIPLIER = "multiplier"
"""The part of the trainable that is λ, by which an optimizer can tell it apart."""
STAIRS = 4
"""Steps of the stepwise schedule."""


def hold_sparsity(adaptation: Adaptation, target: Schedule) -> Adaptation:
    """Adds a multiplier and its penalty to an adaptation that has masks.

    Args:
        adaptation: Its trainable is a dict of parts, and its stats hold `sparsity`.
        target: The sparsity to be at, by the number of steps that are done.

    Returns:
        An adaptation whose trainable has one more part, `multiplier`, a float32 scalar that starts
        at zero and is not among what is frozen. Its stats hold `multiplier` too.

    Example:
        >>> from maskjax.adaptation import combine, masking
        >>> from maskjax.masking import constant, threshold_mask
        >>> all_kept = threshold_mask(initializer=constant(1.0))
        >>> held = hold_sparsity(combine(scores=masking(all_kept)), constant_sparsity(0.5))
        >>> params = {"dense": {"kernel": jnp.ones((4, 4))}}
        >>> trainable = held.init(jax.random.key(0), params) | {"multiplier": jnp.float32(2)}
        >>> float(held.penalty(trainable, params, 0))
        0.5
    """

    def init(key: jax.Array, params: Params) -> Trainable:
        return {**adaptation.init(key, params), MULTIPLIER: jnp.zeros((), jnp.float32)}

    def apply(trainable: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        return adaptation.apply(_rest(trainable), params, key=key)

    def finalize(trainable: Trainable, params: Params) -> Delta:
        return adaptation.finalize(_rest(trainable), params)

    def stats(trainable: Trainable, params: Params) -> dict[str, jax.Array]:
        multiplier = {MULTIPLIER: trainable[MULTIPLIER]}
        return adaptation.stats(_rest(trainable), params) | multiplier

    def penalty(trainable: Trainable, params: Params, step: jax.typing.ArrayLike) -> jax.Array:
        current = adaptation.stats(_rest(trainable), params)["sparsity"]
        held = lagrangian_penalty(trainable[MULTIPLIER], current, target(step))
        return held + adaptation.penalty(_rest(trainable), params, step)

    return Adaptation(init, apply, finalize, stats, penalty)


def sparsity_target(config: AdaptationConfig, steps: int) -> Schedule | None:
    """The sparsity that a configuration wants at each step.

    Args:
        config: Its target, its schedule and the start that the schedule leaves from.
        steps: Steps of the whole run.

    Returns:
        A schedule; None without a target.

    Raises:
        InputError: If what is trained has no masks, or masks of a fixed sparsity.

    References:
        Zhu and Gupta, To prune, or not to prune, 2017, https://arxiv.org/abs/1710.01878.
    """
    if config.target_sparsity is None:
        return None
    _check(config)
    start = 0.0 if config.start in KEEPING else sparsity_of(config)
    final, end = config.target_sparsity, max(steps // 2, 1)
    match config.sparsity_schedule:
        case "constant":
            return constant_sparsity(final)
        case "cubic":
            return cubic_sparsity(start, final, begin=0, end=end)
        case "stepwise":
            levels = [start + (final - start) * stair / STAIRS for stair in range(STAIRS + 1)]
            # Of stairs that fall into one step of a short run, the last one counts.
            stairs = {n * end // STAIRS: levels[n] for n in range(1, STAIRS + 1)}
            return stepwise_sparsity([start, *stairs.values()], list(stairs))


def _check(config: AdaptationConfig) -> None:
    if config.method != "mask":
        raise InputError(
            f"adaptation.target_sparsity: {config.method} has no masks; leave it out, or use "
            "--adaptation.method mask."
        )
    if config.binarizer.endswith("top_k"):
        raise InputError(
            f"adaptation.target_sparsity: {config.binarizer} keeps its sparsity throughout; leave "
            "it out and set --adaptation.sparsity, or use --adaptation.binarizer threshold."
        )


def _rest(trainable: Trainable) -> Trainable:
    return {name: part for name, part in trainable.items() if name != MULTIPLIER}
