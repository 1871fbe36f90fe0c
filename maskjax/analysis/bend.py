"""The bend of a curve, trained so that the loss is low all along it.

Garipov et al., Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs, 2018,
https://arxiv.org/abs/1802.10026, algorithm 1. Each step draws one γ uniformly from [0, 1] and
follows the gradient of the loss there with respect to the bend: an unbiased estimate of the
gradient of the loss that is expected on the curve. Both ends stay as they are.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from maskjax.analysis.paths import Curve, line, mix

PointLoss = Callable[[Any, Any], jax.Array]
"""`(params, batch) -> loss`, float32 scalar."""


def train_bend(
    loss: PointLoss,
    curve: Curve,
    ends: tuple[Any, Any],
    batches: Iterable[Any],
    *,
    steps: int,
    learning_rate: float,
    key: jax.Array,
    report: Callable[[int, float], None] | None = None,
) -> Any:
    """Trains the bend of a curve, from the middle between the ends.

    The optimiser is Adam, along a cosine to zero, so that the noise of the random γ averages out.

    Args:
        loss: Of params on a batch.
        curve: From γ to the weights of first end, bend and last end: `bezier` or `chain`.
        ends: Params of the solutions.
        batches: At least one for each step.
        steps: How many.
        learning_rate: The highest one.
        key: Draws γ.
        report: Is told each step's number, from 1, and its loss.

    Returns:
        Params of the bend.

    Raises:
        ValueError: If there are fewer batches than steps.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
    bend = jax.jit(mix)(ends, line(jnp.float32(0.5)))
    state = (bend, jax.jit(optimizer.init)(bend))
    step = _make_step(loss, curve, optimizer)
    done = 0
    for done, batch in zip(range(1, steps + 1), batches, strict=False):
        state, value = step(state, ends, batch, jax.random.fold_in(key, done))
        if report:
            report(done, float(value))
    if done < steps:
        raise ValueError(f"Expected batches for {steps} steps, got {done}.")
    return state[0]


def _make_step(loss: PointLoss, curve: Curve, optimizer: optax.GradientTransformation) -> Any:
    """Compiles `((bend, opt_state), ends, batch, key) -> ((bend, opt_state), loss)`."""

    def step(
        state: tuple[Any, optax.OptState], ends: tuple[Any, Any], batch: Any, key: jax.Array
    ) -> tuple[tuple[Any, optax.OptState], jax.Array]:
        bend, opt_state = state
        weights = curve(jax.random.uniform(key))

        def at(bend: Any) -> jax.Array:
            return loss(mix((ends[0], bend, ends[1]), weights), batch)

        value, gradient = jax.value_and_grad(at)(bend)
        updates, opt_state = optimizer.update(gradient, opt_state, bend)
        return (optax.apply_updates(bend, updates), opt_state), value

    return jax.jit(step, donate_argnums=0)
