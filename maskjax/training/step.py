"""One training step, jitted: the trainable moves, the base is an argument that never changes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from maskjax.adaptation import Adaptation
from maskjax.config import TrainConfig
from maskjax.inference.forward import model_inputs
from maskjax.models import Model
from maskjax.models.config import TaskType
from maskjax.models.model import Params
from maskjax.tasks import Batch
from maskjax.training.check_finite import check_finite
from maskjax.training.gradients import Arrays, adapt, batch_gradients, count_units
from maskjax.training.seeds import Seeds
from maskjax.training.sharding import ONE_DEVICE, Layout
from maskjax.training.sparsity_penalty import Multiplier, SparsityPenalty


class TrainState(NamedTuple):
    """Everything that changes from step to step.

    Attributes:
        step: Steps done, int32 scalar.
        trainable: What the adaptation learns.
        opt_state: The optimizer's state.
        key: The key of the run; each step folds its number in.
        multiplier: The Lagrange multiplier of a sparsity penalty; None without one.
    """

    step: jax.Array
    trainable: Any
    opt_state: optax.OptState
    key: jax.Array
    multiplier: Multiplier | None = None


Loss = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""`(logits [..., outputs], labels [...], weights [...]) -> scalar`, float32."""
DEFAULT = TrainConfig()
TrainStep = Callable[[TrainState, Params, Batch | Arrays], tuple[TrainState, dict[str, jax.Array]]]


def init_state(
    adaptation: Adaptation,
    optimizer: optax.GradientTransformation,
    params: Params,
    key: jax.Array,
    penalty: SparsityPenalty | None = None,
) -> TrainState:
    """The state before the first step.

    Args:
        adaptation: Gives the trainable.
        optimizer: Gives its state.
        params: The frozen base with its head.
        key: The key of the run.
        penalty: Gives the multiplier.

    Returns:
        The state.
    """
    start, steps = run_keys(key)
    trainable = adaptation.init(start, params)
    multiplier = penalty.init() if penalty else None
    zero = jnp.zeros((), jnp.int32)
    return TrainState(zero, trainable, optimizer.init(trainable), steps, multiplier)


def run_keys(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The key that the trainable starts from, and the one of the steps."""
    start, steps = jax.random.split(key)
    return start, steps


def make_train_step(
    model: Model,
    adaptation: Adaptation,
    optimizer: optax.GradientTransformation,
    loss: Loss,
    seeds: Seeds | None = None,
    *,
    penalty: SparsityPenalty | None = None,
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
        seeds: The seeds that the step is for, if there are several.
        penalty: Is added to the loss, where masks are held to a sparsity.
        layout: Where the arguments are, and where the new state is to be.
        train: Says in how many parts a batch is gone through, what the backward pass computes
            again (the model brings `blocks` with it), and whether results are checked.

    Returns:
        The step; it compiles once for each length of a batch. Metrics are `loss`, without the
        penalty, and `gradient_norm`, float32 scalars. With several seeds the step takes
        `seeds.params`, and the rest has a leading axis of seeds.
    """

    def train_step(
        state: TrainState, params: Params, batch: Arrays
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        sample, dropout = jax.random.split(jax.random.fold_in(state.key, state.step))

        def part_loss(learned: Any, part: Arrays, number: jax.Array) -> tuple[jax.Array, jax.Array]:
            trainable, multiplier = learned
            adapted = adapt(adaptation, trainable, params, sample, remat=train.remat, layout=layout)
            key = dropout if train.accumulate == 1 else jax.random.fold_in(dropout, number)
            logits = model.apply(adapted, model_inputs(part), key=key)
            of_rows = loss(logits, part["labels"], part["weights"])
            if penalty is None:
                return of_rows, of_rows
            return of_rows + penalty(multiplier, trainable, params, state.step), of_rows

        value = state.multiplier and state.multiplier.value
        gradients, loss_value = batch_gradients(
            part_loss, (state.trainable, value), batch, train.accumulate
        )
        updates, opt_state = optimizer.update(gradients[0], state.opt_state, state.trainable)
        trainable = optax.apply_updates(state.trainable, updates)
        multiplier = state.multiplier
        if penalty and multiplier:
            multiplier = penalty.update(gradients[1], multiplier)
        metrics = {"loss": loss_value, "gradient_norm": optax.tree.norm(gradients)}
        return TrainState(state.step + 1, trainable, opt_state, state.key, multiplier), metrics

    of_all = seeds.step(train_step) if seeds else train_step

    def placed(*arguments: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        state, metrics = of_all(*arguments)
        return layout.keep(state), metrics

    compiled = jax.jit(placed, donate_argnums=0)
    return check_finite(compiled) if train.check_finite else compiled


def make_loss(kind: TaskType) -> Loss:
    """The loss of a kind of task: cross-entropy over classes or choices, or squared error.

    Args:
        kind: What the task predicts.

    Returns:
        A function of logits, labels and weights: the sum of weighted losses, divided by the number
        of weights that are not 0. Weight 0 leaves out rows that fill a batch up and, for tokens,
        all but one token of each word. The loss is 0 where all weights are.

    Example:
        >>> loss = make_loss("regression")
        >>> float(loss(jnp.array([[1.0], [9.0]]), jnp.array([3.0, 0.0]), jnp.array([1.0, 0.0])))
        4.0
    """

    def loss(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> jax.Array:
        if kind == "regression":
            losses = jnp.square(logits[..., 0] - labels)
        else:
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return (losses * weights).sum() / count_units(weights)

    return loss
