"""One training step, jitted: the trainable moves, the base is an argument that never changes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from maskjax.adaptation import Adaptation
from maskjax.config import TrainConfig
from maskjax.inference.forward import model_inputs
from maskjax.models import Model
from maskjax.models.model import Params
from maskjax.tasks import Batch
from maskjax.training.gradients import Arrays, adapt, batch_gradients
from maskjax.training.losses import Loss
from maskjax.training.mesh import ONE_DEVICE, Layout
from maskjax.training.seeds import LaneParams, Lanes


class TrainState(NamedTuple):
    """Everything that changes from step to step.

    Attributes:
        step: Steps done, int32 scalar.
        trainable: What the adaptation learns.
        opt_state: The optimizer's state.
        key: The key of the run; each step folds its number in.
    """

    step: jax.Array
    trainable: Any
    opt_state: optax.OptState
    key: jax.Array


DEFAULT = TrainConfig()
TrainStep = Callable[
    [TrainState, Params | LaneParams, Batch | Arrays], tuple[TrainState, dict[str, jax.Array]]
]


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
    return init_states(adaptation, optimizer, [params], [key], Lanes([params]))


def init_states(
    adaptation: Adaptation,
    optimizer: optax.GradientTransformation,
    params: Sequence[Params],
    keys: Sequence[jax.Array],
    lanes: Lanes,
    *,
    layout: Layout = ONE_DEVICE,
) -> TrainState:
    """The states of several runs before the first step, each what `init_state` gives.

    Args:
        adaptation: Gives the trainables.
        optimizer: Gives its state.
        params: The params of each run.
        keys: A key for each run.
        lanes: The runs.
        layout: Where they are to be.

    Returns:
        The stacked states.
    """

    def init(keys: Sequence[jax.Array], params: Sequence[Params], of_lanes: Any) -> TrainState:
        starts, steps = zip(*map(run_keys, keys), strict=True)
        each = [adaptation.init(*some) for some in zip(starts, params, strict=True)]
        trainable = lanes.stack(each)
        opt_state = lanes.over(lambda mine, _: optimizer.init(mine))(trainable, of_lanes)
        zero = lanes.stack([jnp.zeros((), jnp.int32)] * lanes.count)
        return TrainState(zero, trainable, opt_state, lanes.stack(steps))

    return layout.make(init, keys, params, lanes.params)


def run_keys(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The key that the trainable starts from, and the one of the steps."""
    start, steps = jax.random.split(key)
    return start, steps


def make_train_step(
    model: Model,
    adaptation: Adaptation,
    optimizer: optax.GradientTransformation,
    loss: Loss,
    lanes: Lanes | None = None,
    *,
    layout: Layout = ONE_DEVICE,
    train: TrainConfig = DEFAULT,
) -> TrainStep:
    """Compiles the step `(state, params, batch) -> (state, metrics)`.

    The state is donated: its buffers become the new state's. Only the trainable is
    differentiated, so no gradient of a frozen weight exists in the program, and below the lowest
    adapted block there is no backward pass at all.

    Args:
        model: Sees params only.
        adaptation: Turns trainable and params into params.
        optimizer: Moves the trainable.
        loss: The loss of logits, labels and weights.
        lanes: The runs that the step is for, if there are several.
        layout: Where the arguments are, and where the new state is to be.
        train: Says in how many parts a batch is gone through, and what the backward pass computes
            again. The model brings `blocks` with it.

    Returns:
        The step; it compiles once for each length of a batch. Metrics are `loss`, the penalty of
        the adaptation left out, and `gradient_norm`, float32 scalars. With several runs the step
        takes `lanes.params`, and the rest has a leading axis of runs.
    """

    def train_step(
        state: TrainState, params: Params, batch: Arrays
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        sample, dropout = jax.random.split(jax.random.fold_in(state.key, state.step))

        def part_loss(
            trainable: Any, part: Arrays, number: jax.Array
        ) -> tuple[jax.Array, jax.Array]:
            adapted = adapt(adaptation, trainable, params, sample, remat=train.remat, layout=layout)
            key = dropout if train.accumulate == 1 else jax.random.fold_in(dropout, number)
            logits = model.apply(adapted, model_inputs(part), key=key)
            of_rows = loss(logits, part["labels"], part["weights"])
            return of_rows + adaptation.penalty(trainable, params, state.step), of_rows

        gradients, value = batch_gradients(part_loss, state.trainable, batch, train.accumulate)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.trainable)
        trainable = optax.apply_updates(state.trainable, updates)
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradients)}
        return TrainState(state.step + 1, trainable, opt_state, state.key), metrics

    several = lanes.in_place(train_step) if lanes else train_step

    def placed(*arguments: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        state, metrics = several(*arguments)
        return layout.keep(state), metrics

    return jax.jit(placed, donate_argnums=0)
