"""Counters of work, with an estimate of the remaining time."""

from collections.abc import Callable
from typing import NamedTuple


class _Mark(NamedTuple):
    seconds: float
    done: int

    def later(self, seconds: float) -> "_Mark":
        return self._replace(seconds=self.seconds + seconds)


class Counter:
    """Counts work up to a total.

    Args:
        unit: The unit of the work, such as `rows` or `step`.
        total: The total amount of work.
        clock: Returns the current time in seconds.
        verb: The name of the work, such as `evaluating`; empty for the main work of a command.
        changed: Called after each update.
    """

    def __init__(
        self,
        unit: str,
        total: int,
        clock: Callable[[], float],
        *,
        verb: str = "",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.unit, self.total, self.verb = unit, total, verb
        self._clock = clock
        self._changed = changed
        self.restart(0)

    def restart(self, done: int) -> None:
        """Starts from work that was done earlier, which does not count for the speed."""
        self._start = self._last = _Mark(self._clock(), done)
        self._first: _Mark | None = None

    @property
    def done(self) -> int:
        """The amount of work that is done."""
        return self._last.done

    def update(self, done: int) -> None:
        """Sets the amount of work that is done."""
        if done > self._last.done:
            mark = _Mark(self._clock(), done)
            self._first = self._first or mark
            self._last = mark
        self._changed()

    def add(self, count: int) -> None:
        """Adds work that was done."""
        self.update(self._last.done + count)

    def leave_out(self, seconds: float) -> None:
        """Excludes time from the speed that went into work that does not recur."""
        self._start, self._last = self._start.later(seconds), self._last.later(seconds)
        self._first = self._first and self._first.later(seconds)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start.seconds

    def seconds_left(self) -> float | None:
        """The estimated remaining seconds, or None before the first update.

        The first update does not count for the speed after the second one, since it usually
        includes the compilation of a program.
        """
        if self._first is None:
            return None
        start = self._start if self._first == self._last else self._first
        done = self._last.done - start.done
        speed = done / max(self._last.seconds - start.seconds, 1e-9)
        seconds = (self.total - self._last.done) / speed
        return max(0.0, seconds - (self._clock() - self._last.seconds))

    def text(self) -> str:
        """The work done and the total, such as `step 10/250`."""
        return f"{self.unit} {self.done:,}/{self.total:,}"

    def left_text(self) -> str:
        """The remaining time, such as `0:04:10 left`."""
        seconds = self.seconds_left()
        if seconds is None:
            return "-:--:-- left"
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left"
