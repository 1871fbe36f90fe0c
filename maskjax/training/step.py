"""One training step, jitted: the trainable moves, the base is an argument that never changes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from maskjax.adaptation import Adaptation
from maskjax.inference.logits import model_inputs
from maskjax.models import Model
from maskjax.models.model import Params
from maskjax.tasks import Batch
from maskjax.training.losses import Loss


class TrainState(NamedTuple):
    """Everything that changes from step to step.

    Attributes:
        step: Steps done, int32 scalar.
        trainable: What the adaptation learns.
        opt_state: The optimiser's state.
        key: The key of the run; each step folds its number in.
    """

    step: jax.Array
    trainable: Any
    opt_state: optax.OptState
    key: jax.Array


Arrays = Mapping[str, jax.Array]
TrainStep = Callable[[TrainState, Params, Batch], tuple[TrainState, dict[str, jax.Array]]]


def init_state(
    adaptation: Adaptation,
    optimizer: optax.GradientTransformation,
    params: Params,
    key: jax.Array,
) -> TrainState:
    """The state before the first step.

    Args:
        adaptation: Gives the trainable.
        optimizer: Gives its state.
        params: The frozen base with its head.
        key: The key of the run.

    Returns:
        The state.
    """
    start, run = run_keys(key)
    trainable = adaptation.init(start, params)
    return TrainState(jnp.zeros((), jnp.int32), trainable, optimizer.init(trainable), run)


def run_keys(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The key that the trainable starts from, and the one of the steps.

    Args:
        key: The key of the run.

    Returns:
        Both keys.
    """
    start, steps = jax.random.split(key)
    return start, steps


def make_train_step(
    model: Model, adaptation: Adaptation, optimizer: optax.GradientTransformation, loss: Loss
) -> TrainStep:
    """Compiles the step `(state, params, batch) -> (state, metrics)`.

    The state is donated: its buffers become the new state's. Only the trainable is
    differentiated, so no gradient of a frozen weight exists in the program, and below the lowest
    adapted block there is no backward pass at all.

    Args:
        model: Sees params only.
        adaptation: Turns trainable and params into params.
        optimizer: Moves the trainable.
        loss: Of logits, labels and weights.

    Returns:
        The step; it compiles once for each length of a batch. Metrics are `loss` and
        `gradient_norm`, float32 scalars.
    """

    def batch_loss(trainable: Any, params: Params, batch: Arrays, key: jax.Array) -> jax.Array:
        sample, dropout = jax.random.split(key)
        adapted = adaptation.apply(trainable, params, key=sample)
        logits = model.apply(adapted, model_inputs(batch), key=dropout)
        return loss(logits, batch["labels"], batch["weights"])

    @partial(jax.jit, donate_argnums=0)
    def train_step(
        state: TrainState, params: Params, batch: Arrays
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        key = jax.random.fold_in(state.key, state.step)
        value, gradients = jax.value_and_grad(batch_loss)(state.trainable, params, batch, key)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.trainable)
        trainable = optax.apply_updates(state.trainable, updates)
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradients)}
        return TrainState(state.step + 1, trainable, opt_state, state.key), metrics

    return train_step
