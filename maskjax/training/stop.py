"""SIGTERM, with which a machine that is about to be taken away says so."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StoppedError(Exception):
    """A run was told to stop and has saved where it was; the message says where."""


class Sigterm:
    """Within its block, SIGTERM ends no process but sets `came`.

    Python takes signals in its main thread alone; in another thread nothing changes.

    Attributes:
        came: Whether the signal has come.

    Example:
        >>> with Sigterm() as sigterm:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     sigterm.came
        True
    """

    came: bool = False
    _before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.came = True
