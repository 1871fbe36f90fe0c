"""Predictions of a masked model, drawn at random from the rows that it was scored on."""

from typing import NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from maskjax.cli.demo.comparison import Comparison
from maskjax.inference import Prediction, SavedRun, predict_rows
from maskjax.tasks import Split, Task

SHOWN = 6
"""Predictions per task."""


class Example(NamedTuple):
    """A row with its prediction."""

    texts: tuple[str, ...]  # for tokens, the words of the row
    predicted: str  # a label, the chosen text, or a number as text
    probability: float | None  # None where a number is predicted
    truth: str

    @property
    def verdict(self) -> str:
        """Whether the prediction is right; empty for a number."""
        if self.probability is None:
            return ""
        return "right" if self.predicted == self.truth else "wrong"


def draw_examples(saved: SavedRun, seed: int) -> list[Example]:
    """Draws rows at random from all that a run was scored on, and predicts them, but not words."""
    data = saved.load_rows()
    split = data.splits["test" if "test" in data.splits else data.selection]
    count = min(SHOWN, len(split.texts))
    rows = np.random.default_rng(seed).choice(len(split.texts), count, replace=False)
    texts = [split.texts[row] for row in rows]
    if saved.task.kind == "tokens":
        return [Example(words, "", None, "") for words in texts]
    drawn = Split(texts, split.labels[rows], split.kind)
    predictions = predict_rows(saved.task, saved.logits(saved.encode(drawn)))
    outcomes = zip(texts, predictions, drawn.labels, strict=True)
    return [_example(saved.task, *outcome) for outcome in outcomes]


def _example(task: Task, texts: tuple[str, ...], prediction: Prediction, label: float) -> Example:
    if task.kind == "regression":
        return Example(texts, prediction["label"], None, f"{label:.3f}")
    names = task.labels
    if task.kind == "choice":
        names = texts[-len(task.labels) :]
    predicted = names[task.labels.index(prediction["label"])]
    return Example(texts, predicted, prediction["score"], names[int(label)])


def example_table(comparison: Comparison, examples: list[Example]) -> Table:
    """Lists examples with truths and verdicts."""
    title = (
        f"{comparison.task}: {len(examples)} of {comparison.rows:,} {comparison.split} rows, "
        "drawn at random"
    )
    table = Table("text", "mask says", "prob.", "truth", "", box=SIMPLE_HEAD, title=title)
    for example in examples:
        chance = "" if example.probability is None else f"{example.probability:.2f}"
        text = " | ".join(example.texts)
        table.add_row(text, example.predicted, chance, example.truth, example.verdict)
    return table
