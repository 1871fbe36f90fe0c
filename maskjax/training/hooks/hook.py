"""What a hook is, and what it sees of the training that calls it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np

from maskjax.training.experiment import Experiment
from maskjax.training.prefetch import PrefetchedBatch
from maskjax.training.seeds import Seeds
from maskjax.training.step import TrainState


@dataclass
class Training:
    """A training of one or several seeds in one program, as its hooks see it.

    Attributes:
        experiments: One for each seed.
        seeds: Stacks what each seed has of its own; for one seed nothing has a leading axis.
        state: The state after the newest step. The next step reuses its memory, so a hook copies
            what it keeps.
        eval_steps: The steps after which the selection split is scored.
        cycle_ends: The steps after which a cycle of the schedule `restarts` ends.
        running: Which seeds have patience left, bool `[seeds]`.
        step: Steps done.
        metrics: `loss` and `gradient_norm` of the newest step, on the device.
        batch: The batch of the newest step.
        numbers: For each seed the numbers to log for this step, by name: `loss`, `learning_rate`,
            `sparsity` and more at each tenth step, `score` and mask changes at each evaluation.
            What a hook adds is written to `metrics.jsonl` and TensorBoard too.
        compiled: The shapes of the batches that this process has compiled the step for.
        compile_seconds: Time that this process has spent compiling steps.
        begun: When training began, by `time.perf_counter`, less what an earlier process took.
    """

    experiments: Sequence[Experiment]
    seeds: Seeds
    state: TrainState
    eval_steps: frozenset[int]
    cycle_ends: tuple[int, ...]
    running: np.ndarray
    step: int = 0
    metrics: dict[str, jax.Array] = field(default_factory=dict)
    batch: PrefetchedBatch | None = None
    numbers: list[dict[str, float]] = field(default_factory=list)
    compiled: set[tuple[int, ...]] = field(default_factory=set)
    compile_seconds: float = 0.0
    begun: float = field(default_factory=time.perf_counter)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run, if nothing stops it early."""
        return self.experiments[0].total_steps

    def seconds(self) -> float:
        """How long training has taken, in all processes that had a part in it."""
        return time.perf_counter() - self.begun

    def running_seeds(self) -> list[int]:
        """The places in `experiments` of the seeds that have patience left."""
        return np.flatnonzero(self.running).tolist()

    def trainable(self, seed: int) -> Any:
        """What a seed has learned by now, by its place in `experiments`."""
        return self.seeds.take(self.state.trainable, seed)

    def label(self, seed: int) -> str:
        """What a message about a seed begins with; nothing where there is one seed."""
        return f"seed {self.experiments[seed].config.train.seed}: " if self.seeds.count > 1 else ""

    def stop(self) -> None:
        """Ends the training after this step; the best evaluation so far is the result."""
        self.running = np.zeros_like(self.running)


class Hook(Protocol):
    """Called by the training loop; a subclass overrides what it needs.

    Attributes:
        state: A pytree of arrays and numbers that checkpoints keep, for hooks whose work depends
            on earlier steps. A run that resumes sets it before `begin`.

    Example:
        >>> class StopAt(Hook):
        ...     def __init__(self, step):
        ...         self.step = step
        ...     def __call__(self, training):
        ...         if training.step == self.step:
        ...             training.stop()
    """

    state: Any = None

    def init(self, training: Training) -> Any:
        """Returns the state before the first step.

        Args:
            training: Before its first step, also where a checkpoint is going to replace its state.

        Returns:
            A pytree, or None for a hook without state.
        """

    def begin(self, training: Training) -> None:
        """Called once per process, before its first step.

        Args:
            training: With `step` at the number of steps that an earlier process has done.
        """

    def __call__(self, training: Training) -> None:
        """Called after each step, while the device may still compute it.

        Args:
            training: After the step.
        """
