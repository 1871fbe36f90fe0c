"""The numbers of every tenth step: loss, rates, speed and sparsity."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.errors import NotFiniteError
from maskjax.masking import flatten_with_paths
from maskjax.training.hooks.hook import Hook, Training
from maskjax.training.sparsity_penalty import measure_sparsity

LOG_EVERY = 10
"""Steps between two logs of the loss; each one waits for the device."""


class LogMetrics(Hook):
    """Logs the mean loss of every `LOG_EVERY` steps, and stops at one that is not finite."""

    @property
    def state(self) -> np.ndarray:
        """The losses since the last log, `[seeds, LOG_EVERY]`, filled up with zeros."""
        losses = np.zeros((self._seeds, LOG_EVERY), np.float32)
        if self._losses:
            losses[:, : len(self._losses)] = np.stack(jax.device_get(self._losses), axis=-1)
        return losses

    @state.setter
    def state(self, losses: np.ndarray) -> None:
        self._restored = losses

    def init(self, training: Training) -> np.ndarray:
        """No loss is pending."""
        sparsity = measure_sparsity(training.experiments[0].adaptation)
        self._sparsity = jax.jit(training.seeds.vmap(sparsity))
        self._seeds = training.seeds.count
        self._reset([], 0.0)
        return self.state

    def begin(self, training: Training) -> None:
        """Resumes with the losses that were pending."""
        pending = self._restored.T[: training.step % LOG_EVERY]
        losses = [training.seeds.stack(list(losses)) for losses in pending]
        self._reset(losses, training.compile_seconds)

    def __call__(self, training: Training) -> None:
        """Waits for the step before the newest, which keeps the device busy meanwhile."""
        self._losses.append(training.metrics["loss"])
        if training.batch:
            self._rows += training.batch.rows
            self._waited += training.batch.waited
        if len(self._losses) > 1:
            jax.block_until_ready(self._losses[-2])
        if training.step % LOG_EVERY == 0 or training.step == training.total_steps:
            self._log(training)
            self._reset([], training.compile_seconds)

    def _log(self, training: Training) -> None:
        seeds, state = training.seeds, training.state
        losses = np.stack(jax.device_get(self._losses), axis=-1)
        measured = {"gradient_norm": training.metrics["gradient_norm"]}
        measured |= self._sparsity(state.trainable, seeds.params)
        if state.multiplier is not None:
            measured["multiplier"] = state.multiplier.value
        measured = jax.device_get(measured)
        common = self._common(training)
        for seed in training.running_seeds():
            of_seed = seeds.take(losses, seed)
            if not np.isfinite(of_seed).all():
                first = training.step - len(self._losses) + 1
                text = _describe(training.trainable(seed), first, training.step)
                raise NotFiniteError(training.label(seed) + text)
            numbers = {"loss": of_seed.mean(), **seeds.take(measured, seed), **common}
            training.numbers[seed] |= {name: float(value) for name, value in numbers.items()}

    def _common(self, training: Training) -> dict[str, Any]:
        """What is the same for all seeds."""
        first, compiling = training.experiments[0], training.compile_seconds - self._compiled
        seconds = max(time.perf_counter() - self._start - compiling, 1e-9)
        target = first.penalty.target(training.step - 1) if first.penalty else None
        return {
            "learning_rate": first.schedule(training.step - 1),
            "examples_per_second": self._rows / seconds,
            "input_wait": self._waited / seconds,
            **({} if target is None else {"target_sparsity": target}),
        }

    def _reset(self, losses: list[Any], compiled: float) -> None:
        self._losses = losses
        self._rows = 0
        self._waited = 0.0
        self._compiled = compiled
        self._start = time.perf_counter()


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
