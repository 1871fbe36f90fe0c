"""`maskjax evaluate`: the scores of a finished run on labeled rows, class by class."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maskjax.cli.common import OneRun, show_notes, wanted_splits
from maskjax.cli.show import print_table, show_progress
from maskjax.errors import InputError

if TYPE_CHECKING:
    from maskjax.inference import Evaluation
    from maskjax.tasks import Confusion

MOST_COLUMNS = 12
"""Classes up to which the confusion matrix is printed whole."""
MISTAKES = 10
"""Confusions that are listed where there are more classes."""


def evaluate(
    run: OneRun,
    *,
    split: str | None = None,
    path: str | None = None,
    eval_rows: int | Literal["all"] | None = None,
    output: Path | None = None,
) -> None:
    """Scores a finished run on rows with labels: its own dev and test rows, or any others.

    Prints the task's metric, accuracy and macro-F1 (the mean over the classes that occur), then
    precision, recall and F1 of each class, and which classes are mistaken for which.

    Args:
        split: Only this split, such as train or dev; by default all but the training rows.
        path: A file or folder of rows with labels, instead of the rows of the run. No training
            rows are needed, and each file is a split under its own name.
        eval_rows: How many rows of a split to score, or all of them; by default as many as
            --task.eval-rows left in training, and all with --path.
        output: A .json file for all scores and the whole confusion matrix.
    """
    from maskjax.taskfile import write_atomically

    if output and output.suffix != ".json":
        raise InputError(f"--output: expected a name that ends in .json, got {output}.")
    with show_progress():
        saved = run.load()
        data = saved.load_rows(path, split, eval_rows)
        names = wanted_splits(data, split)
        evaluations = {name: saved.evaluate(data.splits[name]) for name in names}
    show_notes(data)
    if output:
        splits = {name: evaluation.to_json() for name, evaluation in evaluations.items()}
        record = {"run": str(run.run), "metric": saved.task.metric, "splits": splits}
        write_atomically(output, json.dumps(record, indent=2).encode())
    _print(str(run.run), evaluations)


def _print(title: str, evaluations: "Mapping[str, Evaluation]") -> None:
    scores = next(iter(evaluations.values())).scores
    rows = [
        (name, f"{evaluation.rows:,}", *(f"{score:.4f}" for score in evaluation.scores.values()))
        for name, evaluation in evaluations.items()
    ]
    print_table(("split", "rows", *scores), rows, title=title)
    for name, evaluation in evaluations.items():
        if evaluation.confusion is not None:
            _print_classes(name, evaluation, evaluation.confusion)
            _print_confusion(name, evaluation.confusion)


def _print_classes(name: str, evaluation: "Evaluation", confusion: "Confusion") -> None:
    unit = "rows" if evaluation.units == evaluation.rows else "words"
    scores = confusion.precision, confusion.recall, confusion.f1
    columns = confusion.names, *scores, confusion.support
    rows = [
        (label, *(f"{share:.4f}" for share in shares), f"{support:,}")
        for label, *shares, support in zip(*columns, strict=True)
    ]
    print_table(("class", "precision", "recall", "F1", unit), rows, title=f"{name}, by class")


def _print_confusion(name: str, confusion: "Confusion") -> None:
    if len(confusion.names) > MOST_COLUMNS:
        title = f"{name}, most frequent confusions (--output has the whole matrix)"
        mistakes = [(*pair, f"{count:,}") for *pair, count in confusion.mistakes(MISTAKES)]
        print_table(("label", "predicted", "count"), mistakes, title=title, names=2)
        return
    columns = confusion.columns
    rows = [
        (label, *(f"{count:,}" for count in counts[: len(columns)]))
        for label, counts in zip(confusion.names, confusion.counts.tolist(), strict=True)
    ]
    print_table(("", *columns), rows, title=f"{name}, labels by row and predictions by column")
