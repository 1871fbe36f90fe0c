"""Steps in a row without waiting for each one, and a look at the loss every so often."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.adaptation import sparsity_target
from maskjax.errors import NotFiniteError
from maskjax.masking import flatten_with_paths
from maskjax.progress import announced
from maskjax.training.experiment import Experiment
from maskjax.training.loggers import Reporter
from maskjax.training.optimizer import make_schedule
from maskjax.training.prefetch import PrefetchedBatch
from maskjax.training.seeds import Lanes
from maskjax.training.step import Arrays, TrainState, TrainStep

LOG_EVERY = 10
"""Steps between two looks at the loss; each look waits for the device."""


class Window:
    """Runs steps, and looks at the loss every `LOG_EVERY` steps."""

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
        self._total = first.total_steps
        optimizer = first.config.optimizer
        self._rate = make_schedule(optimizer, optimizer.learning_rate, self._total)
        self._target = sparsity_target(first.config.adaptation, self._total)
        self._stats = jax.jit(lanes.over(first.adaptation.stats))
        self._lengths: set[int] = set()
        self._begin([])

    def pending(self) -> np.ndarray:
        """The losses since the last look."""
        losses = np.zeros((self._lanes.count, LOG_EVERY), np.float32)
        if self._losses:
            losses[:, : len(self._losses)] = np.stack(jax.device_get(self._losses), axis=-1)
        return losses

    def resume(self, pending: np.ndarray, step: int) -> None:
        """Resumes after a step, with the losses that were pending then."""
        count = step % LOG_EVERY
        self._begin([self._lanes.stack(list(losses)) for losses in pending.T[:count, :]])

    def run(
        self, state: TrainState, fed: PrefetchedBatch, step: int, running: np.ndarray
    ) -> TrainState:
        """Makes one step."""
        batch = fed.batch
        length = batch["input_ids"].shape[-1]
        if length not in self._lengths:
            self._lengths.add(length)
            state, metrics = self._compile(state, batch)
        else:
            state, metrics = self._step(state, self._lanes.params, batch)
        self._losses.append(metrics["loss"])
        self._rows += fed.rows
        self._waited += fed.waited
        self._report_last(step - 1)
        if step % LOG_EVERY == 0 or step == self._total:
            self._look(state, step, metrics, running)
        return state

    def _report_last(self, step: int) -> None:
        """Reports the step before the newest one, which keeps the device busy meanwhile."""
        if len(self._losses) > 1:
            jax.block_until_ready(self._losses[-2])
            self._reporters[0].step(step)

    def _compile(self, state: TrainState, batch: Arrays) -> tuple[TrainState, dict[str, jax.Array]]:
        shape = " x ".join(str(size) for size in batch["input_ids"].shape)
        start = time.perf_counter()
        with announced(f"compiling the step for {shape} tokens"):
            result = jax.block_until_ready(self._step(state, self._lanes.params, batch))
        seconds = time.perf_counter() - start
        self._compiling += seconds
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
            "input_wait": self._waited / seconds,
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
        self._begin([])

    def _begin(self, losses: list[Any]) -> None:
        self._losses = losses
        self._rows = 0
        self._waited = 0.0
        self._compiling = 0.0
        self._start = time.perf_counter()


def lane_names(experiments: Sequence[Experiment]) -> list[str]:
    """What messages about each of several runs begin with."""
    if len(experiments) == 1:
        return [""]
    return [f"seed {experiment.config.train.seed}: " for experiment in experiments]


def _describe(trainable: Any, first: int, last: int) -> str:
    broken = [
        path
        for path, leaf in flatten_with_paths(trainable).items()
        if not bool(jnp.isfinite(leaf).all())
    ]
    where = (
        f"first trainable array that is not finite: {broken[0]}" if broken else "scores are finite"
    )
    return (
        f"the loss became NaN or infinite between steps {first} and {last}; {where}. "
        "Lower --optimizer.learning-rate, or set --optimizer.clip."
    )
