"""What a run tells while it runs: JSON lines, TensorBoard, and one line of progress."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class Reporter(Protocol):
    """Listens to a run."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Takes numbers of one step."""
        ...

    def message(self, text: str) -> None:
        """Takes a line for people."""
        ...


class Recorder:
    """Appends every number to `metrics.jsonl` and to a TensorBoard event file in a run folder.

    Args:
        folder: The run folder; it exists.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        self._lines = (folder / "metrics.jsonl").open("w", encoding="utf8")
        self._board = SummaryWriter(str(folder / "tensorboard"))
        self._start = time.perf_counter()

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Writes one line at once, so that a killed run keeps what it has told."""
        seconds = round(time.perf_counter() - self._start, 3)
        self._lines.write(json.dumps({"step": step, "seconds": seconds, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def message(self, text: str) -> None:
        """Messages are for people; the files hold numbers only."""

    def close(self) -> None:
        """Closes both files."""
        self._lines.close()
        self._board.close()


class ProgressLine:
    """A progress bar with loss, score, sparsity, speed and the time left; messages go above it.

    Args:
        console: Where to draw; a console that is no terminal gets messages and no bar.
        title: Names the run at the left of the bar.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task(title, total=None, numbers="")
        self._shown: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def start(self, total: int) -> None:
        """Sets the number of steps."""
        self._progress.update(self._task, total=total)

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Moves the bar and refreshes its numbers."""
        self._shown |= values
        numbers = "  ".join(
            text for name, form in _SHOWN.items() if (text := _show(form, self._shown.get(name)))
        )
        self._progress.update(self._task, completed=step, numbers=numbers)

    def message(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, highlight=False, markup=False)


_SHOWN = {
    "loss": "loss {:.3f}",
    "selection": "best {:.4f}",
    "sparsity": "zeros {:.2%}",
    "examples_per_second": "{:.0f} ex/s",
}


def _show(form: str, value: float | None) -> str:
    return "" if value is None else form.format(value)


class Reporters:
    """Hands everything to several reporters.

    Args:
        *reporters: The listeners.
    """

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def metrics(self, step: int, values: dict[str, Any]) -> None:
        """Takes numbers of one step."""
        for reporter in self._reporters:
            reporter.metrics(step, values)

    def message(self, text: str) -> None:
        """Takes a line for people."""
        for reporter in self._reporters:
            reporter.message(text)
