"""Steps in a row without waiting for each one, and a look at the loss every so often."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.adaptation import sparsity_target
from maskjax.masking import leaves_by_path
from maskjax.tasks import Batch
from maskjax.training.lanes import Lanes
from maskjax.training.optimizer import make_schedule
from maskjax.training.prepare import Experiment
from maskjax.training.reporting import Reporter
from maskjax.training.step import TrainState, TrainStep

LOG_EVERY = 10
"""Steps between two looks at the loss; each look waits for the device."""


class NotFiniteError(ArithmeticError):
    """The loss or a trainable array became infinite or NaN; the message names steps and leaf."""


class Window:
    """Runs steps, and looks at the loss every `LOG_EVERY` steps.

    Args:
        experiments: One for each lane.
        reporters: Of each lane; told at each look. The first is told when a new length of batches
            is compiled.
        lanes: The runs.
        train_step: The step of all of them.
    """

    def __init__(
        self,
        experiments: Sequence[Experiment],
        reporters: Sequence[Reporter],
        lanes: Lanes,
        train_step: TrainStep,
    ) -> None:
        first = experiments[0]
        self._names = lane_names(experiments)
        self._reporters = reporters
        self._lanes = lanes
        self._step = train_step
        self._layout = first.layout
        self._total = first.total_steps
        optimizer = first.config.optimizer
        self._rate = make_schedule(optimizer, optimizer.learning_rate, self._total)
        self._target = sparsity_target(first.config.adaptation, self._total)
        self._stats = jax.jit(lanes.over(first.adaptation.stats))
        self._lengths: set[int] = set()
        self._begin()

    def run(self, state: TrainState, batch: Batch, step: int, running: np.ndarray) -> TrainState:
        """Makes one step.

        Args:
            state: Of all runs.
            batch: Of all runs.
            step: The number of the step, from 1.
            running: bool `[lanes]`; the others are carried along, and nothing is told of them.

        Returns:
            The new state.

        Raises:
            NotFiniteError: If a look finds a loss infinite or NaN.
        """
        length = batch["input_ids"].shape[-1]
        placed = self._layout.batch(batch, lanes=self._lanes.count)
        if length not in self._lengths:
            self._lengths.add(length)
            state, metrics = self._compile(state, placed)
        else:
            state, metrics = self._step(state, self._lanes.params, placed)
        self._losses.append(metrics["loss"])
        self._rows += _count_rows(batch)
        if step % LOG_EVERY == 0 or step == self._total:
            self._look(state, step, metrics, running)
        return state

    def _compile(self, state: TrainState, batch: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        start = time.perf_counter()
        result = jax.block_until_ready(self._step(state, self._lanes.params, batch))
        seconds = time.perf_counter() - start
        self._compiling += seconds
        shape = " x ".join(str(size) for size in batch["input_ids"].shape)
        self._reporters[0].message(f"compiled the step for {shape} tokens in {seconds:.1f} s")
        return result

    def _look(
        self, state: TrainState, step: int, metrics: dict[str, jax.Array], running: np.ndarray
    ) -> None:
        losses = self._lanes.split(np.stack(jax.device_get(self._losses), axis=-1))
        norms = self._lanes.split(jax.device_get(metrics["gradient_norm"]))
        seconds = max(time.perf_counter() - self._start - self._compiling, 1e-9)
        stats = self._lanes.split(jax.device_get(self._stats(state.trainable, self._lanes.params)))
        common: dict[str, Any] = {
            "learning_rate": self._rate(step - 1),
            "examples_per_second": self._rows / seconds,
        }
        if self._target is not None:
            common["target_sparsity"] = self._target(step - 1)
        for lane in np.flatnonzero(running).tolist():
            if not np.isfinite(losses[lane]).all():
                trainable = self._lanes.split(state.trainable)[lane]
                first = step - len(self._losses) + 1
                raise NotFiniteError(self._names[lane] + _describe(trainable, first, step))
            values = {"loss": losses[lane].mean(), "gradient_norm": norms[lane], **common}
            values |= stats[lane]
            self._reporters[lane].metrics(step, {n: float(value) for n, value in values.items()})
        self._begin()

    def _begin(self) -> None:
        self._losses: list[jax.Array] = []
        self._rows = 0
        self._compiling = 0.0
        self._start = time.perf_counter()


def _count_rows(batch: Batch) -> int:
    """Rows of a batch, without those that only fill it up; words have weights of their own."""
    weights = batch["weights"]
    of_words = weights.ndim == batch["input_ids"].ndim
    return int(np.count_nonzero(weights.any(axis=-1) if of_words else weights))


def lane_names(experiments: Sequence[Experiment]) -> list[str]:
    """What messages about each of several runs begin with.

    Args:
        experiments: The runs.

    Returns:
        `seed 3: ` and the like; of one run nothing.
    """
    if len(experiments) == 1:
        return [""]
    return [f"seed {experiment.config.train.seed}: " for experiment in experiments]


def _describe(trainable: Any, first: int, last: int) -> str:
    broken = [
        path
        for path, leaf in leaves_by_path(trainable).items()
        if not bool(jnp.isfinite(leaf).all())
    ]
    where = (
        f"first trainable array that is not finite: {broken[0]}" if broken else "scores are finite"
    )
    return (
        f"the loss became NaN or infinite between steps {first} and {last}; {where}. "
        "Lower --optimizer.learning-rate, or set --optimizer.clip."
    )
