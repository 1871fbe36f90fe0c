"""SIGTERM, with which a machine that is about to be taken away says so."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import jax
from jax.experimental import multihost_utils


class Sigterm:
    """Within its block, SIGTERM ends no process but sets `came`.

    Python takes signals in its main thread alone; in another thread nothing changes. Where
    processes are joined, JAX takes the signal for all of them, from the moment that they are.

    Attributes:
        came: Whether the signal has come to this process.

    Example:
        >>> with Sigterm() as sigterm:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     sigterm.came
        True
    """

    came: bool = False
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
        return self.came

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.came = True
