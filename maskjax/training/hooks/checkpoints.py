"""Saves all that changes while a run trains: now and then, and when SIGTERM comes."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jax
from jax.experimental import multihost_utils

from maskjax.errors import StoppedError
from maskjax.training import distributed
from maskjax.training.hooks.best import KeepBest
from maskjax.training.hooks.hook import Hook, Training
from maskjax.training.hooks.log import LOG_EVERY
from maskjax.training.step import TrainState

if TYPE_CHECKING:
    from maskjax.training.checkpoint import Checkpoints


class FitState(NamedTuple):
    """All that changes from step to step, a pytree; with it training can resume where it was."""

    step: int  # steps done, which is also the place in the data
    train: TrainState  # trainables, optimizer states and keys of all seeds
    hooks: list[Any]  # the state of each hook, in their order
    seconds: float  # how long training has taken


class SaveCheckpoints(Hook):
    """Saves a checkpoint at each best evaluation, and every few minutes."""

    def __init__(self, checkpoints: "Checkpoints", best: KeepBest, hooks: Sequence[Hook]) -> None:
        self._checkpoints = checkpoints
        self._best = best
        self._hooks = hooks

    def restore(self, training: Training) -> None:
        """Puts the newest checkpoint, if there is one, into a training and its hooks."""
        restored = self._checkpoints.restore(self._state_of(training))
        if restored is None:
            return
        training.step, training.state = restored.step, restored.train
        training.begun -= restored.seconds
        for hook, state in zip(self._hooks, restored.hooks, strict=True):
            hook.state = state

    def __call__(self, training: Training) -> None:
        """Saves if it is time to."""
        if self._is_due(training):
            self.save(training)

    def save(self, training: Training, *, wait: bool = False) -> None:
        """Saves now, in the background unless it is to be waited for."""
        self._checkpoints.save(training.step, self._state_of(training))
        if wait:
            self._checkpoints.wait()

    def _state_of(self, training: Training) -> FitState:
        states = [hook.state for hook in self._hooks]
        return FitState(training.step, training.state, states, training.seconds())

    def _is_due(self, training: Training) -> bool:
        """Several hosts save together, so now and then they ask the first, and wait for it."""
        due = self._checkpoints.due(best=bool((self._best.state.step == training.step).any()))
        if not distributed.is_multiprocess():
            return due
        return (
            training.step % LOG_EVERY == 0 or training.step in training.eval_steps
        ) and distributed.broadcast_from_primary(due)


class StopAtSigterm(Hook):
    """Saves a checkpoint and ends the run when SIGTERM has come."""

    def __init__(self, sigterm: "Sigterm", saver: SaveCheckpoints) -> None:
        self._sigterm = sigterm
        self._saver = saver

    def __call__(self, training: Training) -> None:
        """Raises StoppedError after the step in which the signal came."""
        if self._sigterm.stops(training.step):
            self._saver.save(training, wait=True)
            step = training.step
            raise StoppedError(f"saved at step {step}; the same command resumes from there.")


class Sigterm:
    """Within its block, SIGTERM ends no process but sets `came`.

    Python takes signals in its main thread alone; in another thread nothing changes. Where
    processes are joined, JAX takes the signal for all of them, from the moment that they are.

    Attributes:
        received: Whether the signal has come to this process.

    Example:
        >>> with Sigterm() as sigterm:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     sigterm.received
        True
    """

    received: bool = False
    _before: Any = None

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and not jax.distributed.is_initialized():
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def stops(self, step: int) -> bool:
        """Whether to stop now; joined processes stop at the same step, whichever got the signal."""
        if jax.distributed.is_initialized():
            return multihost_utils.reached_preemption_sync_point(step)
        return self.received

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.received = True
