"""Work that is counted: how much of it is done, and how long the rest will take."""

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
        unit: What is counted, such as `rows` or `step`.
        total: How much work there is.
        clock: Returns the current time in seconds.
        verb: What is done, such as `evaluating`; empty for the main work of a command.
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
        """Starts from work that was done earlier, which says nothing about the speed."""
        self._start = self._last = _Mark(self._clock(), done)
        self._first: _Mark | None = None

    @property
    def done(self) -> int:
        """How much is done."""
        return self._last.done

    def update(self, done: int) -> None:
        """Sets how much is done."""
        if done > self._last.done:
            mark = _Mark(self._clock(), done)
            self._first = self._first or mark
            self._last = mark
        self._changed()

    def add(self, count: int) -> None:
        """Adds work that was done."""
        self.update(self._last.done + count)

    def leave_out(self, seconds: float) -> None:
        """Leaves time out of the speed that went into something that does not recur."""
        self._start, self._last = self._start.later(seconds), self._last.later(seconds)
        self._first = self._first and self._first.later(seconds)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start.seconds

    def seconds_left(self) -> float | None:
        """Seconds that the rest will take, or None before anything is done.

        The first update is left out of the speed as soon as there is a second one, since the first
        piece of work usually waits for a program to be compiled.
        """
        if self._first is None:
            return None
        begin = self._start if self._first == self._last else self._first
        done = self._last.done - begin.done
        speed = done / max(self._last.seconds - begin.seconds, 1e-9)
        left = (self.total - self._last.done) / speed
        return max(0.0, left - (self._clock() - self._last.seconds))

    def text(self) -> str:
        """What is done out of how much, such as `step 10/250`."""
        return f"{self.unit} {self.done:,}/{self.total:,}"

    def left_text(self) -> str:
        """The time left, such as `0:04:10 left`."""
        seconds = self.seconds_left()
        if seconds is None:
            return "-:--:-- left"
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left"
