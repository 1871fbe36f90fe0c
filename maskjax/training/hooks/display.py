"""One line of progress with the newest numbers of a run."""

from statistics import mean

from maskjax.progress import Counter, Progress
from maskjax.training.hooks.hook import Hook, Training

SHOWN = {
    "loss": "loss {:.3f}",
    "selection": "best {:.4f}",
    "score": "score {:.4f}",
    "sparsity": "zeros {:.2%}",
    "examples_per_second": "{:,.0f} rows/s",
    "input_wait": "input wait {:.1%}",
}
"""What is shown of the numbers of a step, the most important first."""


class ShowProgress(Hook):
    """Shows the steps of a run, with means over its seeds as far as there is room."""

    def __init__(self, progress: Progress, steps: Counter) -> None:
        self._progress = progress
        self._steps = steps

    def begin(self, training: Training) -> None:
        """Starts from the steps that an earlier process did."""
        self._newest: list[dict[str, float]] = [{} for _ in training.experiments]
        self._steps.restart(training.step)

    def __call__(self, training: Training) -> None:
        """Moves the display; without numbers the newest step may still run."""
        if not any(training.numbers):
            self._steps.update(training.step - 1)
            return
        for seed, numbers in enumerate(training.numbers):
            self._newest[seed] |= numbers
        self._progress.numbers = [
            form.format(mean(values))
            for name, form in SHOWN.items()
            if (values := [newest[name] for newest in self._newest if name in newest])
        ]
        self._steps.update(training.step)
        if any("score" in numbers for numbers in training.numbers):
            self._progress.report()
