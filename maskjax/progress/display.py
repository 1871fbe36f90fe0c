"""The progress display of a command: a live line on a terminal, printed lines elsewhere."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from maskjax.progress.counter import Counter
from maskjax.progress.layout import fit_line

PRINT_SECONDS = 60
"""Seconds between two printed lines."""
DRAW_SECONDS = 0.3
"""Seconds after which work is drawn; shorter work would flicker."""
NOTEBOOK = "JPY_PARENT_PID"
"""Set in commands of notebook cells, whose terminals cannot move the cursor back."""
LONG = 10_000
"""The number of rows from which work is announced by a printed line."""

Item = TypeVar("Item")

_log = logging.getLogger("maskjax")

_current: ContextVar["Progress | None"] = ContextVar("progress", default=None)


class Progress:
    """Shows the progress of the work inside a `with` block, and its remaining time.

    A terminal shows a live line, which disappears at the end. On any other console, such as a log
    file or a notebook, a line is printed at least once per minute.

    Args:
        console: The console to show it on.
        title: The name of the work.
        clock: Returns the current time in seconds.

    Example:
        >>> with Progress(Console(quiet=True), "rows") as progress:
        ...     for row in tracked([1, 2, 3], "reading", "rows"):
        ...         pass
    """

    def __init__(
        self, console: Console, title: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.numbers: Sequence[str] = ()
        self._console = console
        self._title = title
        self._clock = clock
        self._draws = console.is_interactive and not console.quiet and NOTEBOOK not in os.environ
        self._live: Live | None = None
        self._counters: list[Counter] = []
        self._announced: list[str] = []
        self._printed = clock()

    def __enter__(self) -> Self:
        outer = _current.get()
        if outer is not None:
            outer._hide()  # drawn again at its next update
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)
        self._hide()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is printed."""
        return self._console.quiet

    def message(self, text: str) -> None:
        """Prints a line."""
        text = encodable(text, self._console.encoding)
        self._console.print(text, highlight=False, markup=False, soft_wrap=not self._draws)

    def report(self) -> None:
        """Prints the state of the work now, unless it is drawn anyway."""
        if not self._draws and self._counters:
            self._printed = self._clock()
            self.message(self._plain_line())

    @contextmanager
    def count(self, unit: str, total: int, *, verb: str = "") -> Iterator[Counter]:
        """Counts work while the block runs.

        Args:
            unit: The unit of the work, such as `rows` or `step`.
            total: The total amount of work.
            verb: The name of the work, such as `evaluating`; empty for the main work of a command.

        Yields:
            The counter to update.
        """
        counter = Counter(unit, total, self._clock, verb=verb, changed=self._refresh)
        if not self._draws and unit == "rows" and total >= LONG:
            self.message(f"{verb} {total:,} {unit}")
        self._counters.append(counter)
        try:
            yield counter
        finally:
            self._end(self._counters, counter)

    @contextmanager
    def announce(self, text: str) -> Iterator[None]:
        """Announces work that may take long while the block runs.

        Args:
            text: The name of the work, such as `loading minilm`.

        Yields:
            Nothing.
        """
        begun = self._clock()
        self._announced.append(text)
        if self._draws:
            self._draw()
        else:
            self.message(text)
        try:
            yield
        finally:
            self._end(self._announced, text)
            for counter in self._counters:
                counter.leave_out(self._clock() - begun)

    def _refresh(self) -> None:
        if self._draws:
            if self._counters[0].elapsed() >= DRAW_SECONDS:
                self._draw()
        elif self._clock() - self._printed >= PRINT_SECONDS:
            self.report()

    def _draw(self) -> None:
        if self._live is None:
            # A thread of rich draws the line, so that the time is updated during long work.
            self._live = Live(
                get_renderable=self._drawn_line, console=self._console, transient=True
            )
            self._live.start(refresh=True)

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _end(self, active: list[Any], item: Any) -> None:
        """Removes finished work; hides the display first, since rich draws it once more."""
        if len(self._counters) + len(self._announced) == 1:
            self._hide()
        active.remove(item)
        if not self._counters:
            self.numbers = ()

    def _drawn_line(self) -> Text:
        title, required, numbers = self._parts()
        main = next(iter(self._counters), None)
        share = main.done / max(main.total, 1) if main else None
        # The last column stays empty, since some terminals wrap after it.
        line = fit_line(self._console.width - 1, title, required, numbers, share)
        line = line.encode(self._console.encoding, "replace").decode(self._console.encoding)
        return Text(line, no_wrap=True, overflow="crop")

    def _plain_line(self) -> str:
        title, required, numbers = self._parts()
        line = ", ".join([*required, *numbers])
        return f"{title}: {line}" if title else line

    def _parts(self) -> tuple[str, list[str], list[str]]:
        """The title, the required parts, and the parts that are shown if they fit."""
        numbers = [*self._announced[-1:], *self.numbers]
        counters = tuple(self._counters)  # another thread draws
        if not counters:
            return self._title, [], numbers
        main, *inner_counters = counters
        inner = [
            f"{counter.verb} {counter.done:,}/{counter.total:,}" for counter in inner_counters[-1:]
        ]
        return main.verb or self._title, [main.text(), main.left_text()], [*inner, *numbers]


def encodable(text: str, encoding: str) -> str:
    r"""Escapes characters that an encoding cannot represent, so that printing cannot fail.

    Args:
        text: The text to print.
        encoding: The encoding of the console.

    Returns:
        Text that the console can print.

    Example:
        >>> encodable("0.9 ± 0.1", "ascii"), encodable("0.9 ± 0.1", "utf-8")
        ('0.9 \\xb1 0.1', '0.9 ± 0.1')
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def counted(verb: str, total: int, unit: str = "rows") -> Iterator[Counter]:
    """Counts work in the current `Progress`, if any.

    Args:
        verb: The name of the work, such as `evaluating`.
        total: The total amount of work.
        unit: The unit of the work.

    Yields:
        The counter to update.

    Example:
        >>> with counted("reading", total=2) as counter:
        ...     counter.add(2)
        >>> counter.text()
        'rows 2/2'
    """
    progress = _current.get()
    if progress is None:
        yield Counter(unit, total, time.monotonic, verb=verb)
    else:
        with progress.count(unit, total, verb=verb) as counter:
            yield counter


def tracked(items: Sequence[Item], verb: str, unit: str) -> Iterator[Item]:
    """Counts items as they are used, in the current `Progress`, if any.

    Args:
        items: The items.
        verb: The name of the work, such as `comparing`.
        unit: The unit of the items, such as `pairs`.

    Yields:
        The items.

    Example:
        >>> list(tracked("ab", "comparing", "letters"))
        ['a', 'b']
    """
    with counted(verb, len(items), unit) as counter:
        for item in items:
            yield item
            counter.add(1)


@contextmanager
def announced(text: str) -> Iterator[None]:
    """Announces work that may take long in the current `Progress`, if any.

    Args:
        text: The name of the work, such as `loading minilm`.

    Yields:
        Nothing.
    """
    progress = _current.get()
    if progress is None:
        yield
    else:
        with progress.announce(text):
            yield


def notify(text: str) -> None:
    """Prints a line in the `Progress` that is open, if there is one.

    Args:
        text: The line.
    """
    progress = _current.get()
    if progress is not None:
        progress.message(text)


def warn(text: str) -> None:
    """Prints a line in the `Progress` that is open and not quiet; else logs it as a warning.

    Args:
        text: The line.
    """
    progress = _current.get()
    if progress is None or progress.is_quiet:
        _log.warning(text)
    else:
        progress.message(text)
