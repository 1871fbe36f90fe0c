"""Masks that are driven to a target sparsity by a Lagrange multiplier.

The loss gets λ (target − sparsity)². The scores descend in it and λ ascends, so that λ grows for as
long as the mask is off its target, until the penalty weighs as much as the task.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from maskjax.adaptation import Adaptation, make_soft_sparsity
from maskjax.adaptation.score_init import KEEP_ALL, sparsity_of
from maskjax.config import AdaptationConfig, Config
from maskjax.masking import (
    constant_sparsity,
    cubic_sparsity,
    lagrangian_penalty,
    mean_sparsity,
    stepwise_sparsity,
)
from maskjax.masking.schedules import Schedule
from maskjax.models import Model

STAIRS = 4
"""Steps of the stepwise schedule."""


class Multiplier(NamedTuple):
    """The Lagrange multiplier, a part of the training state."""

    value: jax.Array  # λ, a float32 scalar
    opt_state: optax.OptState  # the state of its optimizer


class SparsityPenalty(NamedTuple):
    """A penalty that holds masks to a sparsity, an argument of the training step.

    Attributes:
        target: The sparsity to be at, by the number of steps that are done.
        sparsity: `(trainable, params) -> scalar`, differentiable in `trainable`.
        optimizer: Moves λ, by ascent.

    Example:
        >>> sparsity = lambda trainable, params: trainable
        >>> penalty = SparsityPenalty(constant_sparsity(0.5), sparsity, optax.adam(1.0))
        >>> float(penalty(jnp.float32(2), jnp.float32(0.0), {}, 0))
        0.5
    """

    target: Schedule
    sparsity: Callable[[Any, Any], jax.Array]
    optimizer: optax.GradientTransformation

    def __call__(
        self, multiplier: jax.Array, trainable: Any, params: Any, step: jax.typing.ArrayLike
    ) -> jax.Array:
        """The penalty after so many steps, a float32 scalar."""
        return lagrangian_penalty(multiplier, self.sparsity(trainable, params), self.target(step))

    def init(self) -> Multiplier:
        """λ before the first step, which is zero."""
        value = jnp.zeros((), jnp.float32)
        return Multiplier(value, self.optimizer.init(value))

    def update(self, gradient: jax.Array, multiplier: Multiplier) -> Multiplier:
        """Moves λ by the gradient of the penalty."""
        update, opt_state = self.optimizer.update(gradient, multiplier.opt_state, multiplier.value)
        return Multiplier(optax.apply_updates(multiplier.value, update), opt_state)  # pyright: ignore[reportArgumentType]


def make_sparsity_penalty(config: Config, model: Model, steps: int) -> SparsityPenalty | None:
    """The penalty that a configuration asks for; None without a target."""
    target = sparsity_target(config.adaptation, steps)
    if target is None:
        return None
    optimizer = optax.adam(config.optimizer.multiplier_learning_rate)
    return SparsityPenalty(target, make_soft_sparsity(config.adaptation, model), optimizer)


def sparsity_target(config: AdaptationConfig, steps: int) -> Schedule | None:
    """The sparsity that a configuration wants after so many steps of a run; None without a target.

    The schedules are those of Zhu and Gupta, To prune, or not to prune, 2017,
    https://arxiv.org/abs/1710.01878.
    """
    if config.target_sparsity is None:
        return None
    start = 0.0 if config.initializer in KEEP_ALL else sparsity_of(config)
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


def measure_sparsity(adaptation: Adaptation) -> Callable[[Any, Any], dict[str, jax.Array]]:
    """`(trainable, params) -> {"sparsity": zeros of all masks}`; nothing where there are none."""

    def measure(trainable: Any, params: Any) -> dict[str, jax.Array]:
        masks = adaptation.finalize(trainable, params).masks
        return {"sparsity": mean_sparsity(masks)} if masks else {}

    return measure
