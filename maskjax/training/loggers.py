"""What a run reports while it runs, and one line of progress that shows it."""

from statistics import mean
from typing import Any

from maskjax.progress import Counter, Progress


class Reporter:
    """Listens to a run; what a listener does not override goes unheard."""

    def begin(self, done: int) -> None:
        """Takes the steps done before the first that is reported: 0, unless a run resumes."""

    def step(self, step: int) -> None:
        """Called for each step that is done, while the next one runs."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Takes numbers of one step."""

    def evaluated(self, step: int) -> None:
        """Called after an evaluation, once the scores of all runs came by `metrics`."""

    def message(self, text: str) -> None:
        """Takes a line for people."""

    def snapshot(self, number: int, score: float, trainable: Any) -> None:
        """Takes the trainable at the end of a cycle, counted from 1, with its score.

        It must be read immediately, since the next step reuses its memory.
        """


class ProgressReporter(Reporter):
    """Shows the steps of a run, with loss, score, zeros and speed as far as there is room."""

    def __init__(self, progress: Progress, steps: Counter) -> None:
        self._progress = progress
        self._steps = steps
        self._runs: list[dict[str, float]] = [{}]

    def begin(self, done: int) -> None:
        """Starts from the steps that an earlier process did."""
        self._steps.restart(done)

    def step(self, step: int) -> None:
        """Moves the display."""
        self._steps.update(step)

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Shows new numbers."""
        self._runs[0] |= values
        self._show(step)

    def evaluated(self, step: int) -> None:
        """Prints a line where nothing is drawn."""
        self._progress.report()

    def message(self, text: str) -> None:
        """Prints a line for people."""
        self._progress.message(text)

    def divide(self, count: int) -> "list[Reporter]":
        """One listener for each of several runs; the means of their numbers are shown."""
        self._runs = [{} for _ in range(count)]
        return [_Part(self, run) for run in self._runs]

    def _show(self, step: int) -> None:
        texts = (_text(form, [r[name] for r in self._runs if name in r]) for name, form in _SHOWN)
        self._progress.numbers = [text for text in texts if text]
        self._steps.update(step)


class _Part(ProgressReporter):
    """One of several runs."""

    def __init__(self, whole: ProgressReporter, values: dict[str, float]) -> None:
        super().__init__(whole._progress, whole._steps)
        self._whole, self._values = whole, values

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self._values |= values
        self._whole._show(step)


_SHOWN = (
    ("loss", "loss {:.3f}"),
    ("selection", "best {:.4f}"),
    ("score", "score {:.4f}"),
    ("sparsity", "zeros {:.2%}"),
    ("examples_per_second", "{:,.0f} rows/s"),
    ("input_wait", "input wait {:.1%}"),
)
"""What is shown of the numbers of a step, the most important first."""


def _text(form: str, values: list[float]) -> str:
    return form.format(mean(values)) if values else ""


class Reporters(Reporter):
    """Hands everything to several reporters."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def begin(self, done: int) -> None:
        """Takes the steps done before."""
        for reporter in self._reporters:
            reporter.begin(done)

    def step(self, step: int) -> None:
        """Takes a step that is done."""
        for reporter in self._reporters:
            reporter.step(step)

    def metrics(self, step: int, values: dict[str, Any]) -> None:
        """Takes numbers of one step."""
        for reporter in self._reporters:
            reporter.metrics(step, values)

    def evaluated(self, step: int) -> None:
        """Takes the end of an evaluation."""
        for reporter in self._reporters:
            reporter.evaluated(step)

    def message(self, text: str) -> None:
        """Takes a line for people."""
        for reporter in self._reporters:
            reporter.message(text)

    def snapshot(self, number: int, score: float, trainable: Any) -> None:
        """Takes the trainable at the end of a cycle."""
        for reporter in self._reporters:
            reporter.snapshot(number, score, trainable)
