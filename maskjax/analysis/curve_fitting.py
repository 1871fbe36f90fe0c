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

from maskjax.analysis.interpolation import Curve, line, mix

PointLoss = Callable[[Any, Any], jax.Array]
"""`(params, batch) -> loss`, float32 scalar."""
State = tuple[Any, optax.OptState]


class BendTraining:
    """Trains bends of one sort of curve; the step is compiled once for all of them.

    The optimizer is Adam, along a cosine to zero, so that the noise of the random γ averages out.
    """

    def __init__(self, loss: PointLoss, curve: Curve, *, steps: int, learning_rate: float) -> None:
        self.steps = steps
        self._optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
        self._start = jax.jit(self._initial_state)
        self._step = jax.jit(_step_of(loss, curve, self._optimizer), donate_argnums=0)

    def __call__(
        self,
        ends: tuple[Any, Any],
        batches: Iterable[Any],
        *,
        key: jax.Array,
        report: Callable[[int, float], None] | None = None,
    ) -> Any:
        """Trains a bend, from the middle between the ends."""
        state, done = self._start(ends), 0
        for done, batch in zip(range(1, self.steps + 1), batches, strict=False):
            state, value = self._step(state, ends, batch, jax.random.fold_in(key, done))
            if report:
                report(done, float(value))
        if done < self.steps:
            raise ValueError(f"Expected batches for {self.steps} steps, got {done}.")
        return state[0]

    def _initial_state(self, ends: tuple[Any, Any]) -> State:
        bend = mix(ends, line(jnp.float32(0.5)))
        return bend, self._optimizer.init(bend)


def _step_of(
    loss: PointLoss, curve: Curve, optimizer: optax.GradientTransformation
) -> Callable[[State, tuple[Any, Any], Any, jax.Array], tuple[State, jax.Array]]:
    """Gives `((bend, opt_state), ends, batch, key) -> ((bend, opt_state), loss)`."""

    def step(
        state: State, ends: tuple[Any, Any], batch: Any, key: jax.Array
    ) -> tuple[State, jax.Array]:
        bend, opt_state = state
        weights = curve(jax.random.uniform(key))

        def at(bend: Any) -> jax.Array:
            return loss(mix((ends[0], bend, ends[1]), weights), batch)

        value, gradient = jax.value_and_grad(at)(bend)
        updates, opt_state = optimizer.update(gradient, opt_state, bend)
        return (optax.apply_updates(bend, updates), opt_state), value

    return step
