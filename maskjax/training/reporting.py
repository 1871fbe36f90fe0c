"""What a run tells while it runs: JSON lines, TensorBoard, and one line of progress."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import mean
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from maskjax.training.folder import METRICS_FILE


class Reporter:
    """Listens to a run; what a listener does not override goes unheard."""

    def begin(self, done: int) -> None:
        """Takes the steps done before the first that it is told of: 0, unless a run goes on."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Takes numbers of one step."""

    def message(self, text: str) -> None:
        """Takes a line for people."""

    def snapshot(self, number: int, score: float, trainable: Any) -> None:
        """Takes the trainable at the end of a cycle, counted from 1, with its score.

        It is to be read at once, for the next step takes its memory.
        """


class Recorder(Reporter):
    """Appends every number to `metrics.jsonl` and to a TensorBoard event file in a run folder.

    Args:
        folder: The run folder; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()

    def begin(self, done: int) -> None:
        """Opens both files; what had been told of later steps will be told again."""
        from tensorboardX import SummaryWriter

        path = self._folder / METRICS_FILE
        seconds = _keep_lines(path, done)
        board = SummaryWriter(str(self._folder / "tensorboard"), purge_step=done + 1)
        self._board = self._files.enter_context(closing(board))
        self._lines = self._files.enter_context(path.open("a", encoding="utf8"))
        self._start = time.perf_counter() - seconds

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Writes one line at once, so that a killed run keeps what it has told."""
        seconds = round(time.perf_counter() - self._start, 3)
        self._lines.write(json.dumps({"step": step, "seconds": seconds, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Closes both files."""
        self._files.close()


def _keep_lines(path: Path, done: int) -> float:
    """Drops the lines of steps after `done`, and half a line; gives the seconds of the last."""
    seconds = 0.0
    if not path.exists():
        return seconds
    with path.open("r+b") as file:
        kept = 0
        for line in file:
            if not line.endswith(b"\n") or (values := json.loads(line))["step"] > done:
                break
            kept, seconds = kept + len(line), values["seconds"]
        file.truncate(kept)
    return seconds


class ProgressLine(Reporter):
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
        self._parts: list[dict[str, float]] = [{}]

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
        self._parts[0] |= values
        self._show(step)

    def message(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, highlight=False, markup=False)

    def divide(self, count: int) -> "list[Reporter]":
        """One listener for each of several runs; the bar shows the means of their numbers."""
        self._parts = [{} for _ in range(count)]
        return [_Part(self, part, self._show) for part in self._parts]

    def _show(self, step: int) -> None:
        texts = (_text(form, [p[name] for p in self._parts if name in p]) for name, form in _SHOWN)
        self._progress.update(self._task, completed=step, numbers="  ".join(filter(None, texts)))


class _Part(Reporter):
    def __init__(
        self, line: ProgressLine, values: dict[str, float], show: Callable[[int], None]
    ) -> None:
        self._line, self._values, self._show = line, values, show

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self._values |= values
        self._show(step)

    def message(self, text: str) -> None:
        self._line.message(text)


_SHOWN = (
    ("loss", "loss {:.3f}"),
    ("selection", "best {:.4f}"),
    ("sparsity", "zeros {:.2%}"),
    ("examples_per_second", "{:.0f} ex/s"),
    ("input_wait", "input {:.1%}"),
)


def _text(form: str, values: list[float]) -> str:
    return form.format(mean(values)) if values else ""


class Reporters(Reporter):
    """Hands everything to several reporters.

    Args:
        *reporters: The listeners.
    """

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def begin(self, done: int) -> None:
        """Takes the steps done before."""
        for reporter in self._reporters:
            reporter.begin(done)

    def metrics(self, step: int, values: dict[str, Any]) -> None:
        """Takes numbers of one step."""
        for reporter in self._reporters:
            reporter.metrics(step, values)

    def message(self, text: str) -> None:
        """Takes a line for people."""
        for reporter in self._reporters:
            reporter.message(text)

    def snapshot(self, number: int, score: float, trainable: Any) -> None:
        """Takes the trainable at the end of a cycle."""
        for reporter in self._reporters:
            reporter.snapshot(number, score, trainable)
