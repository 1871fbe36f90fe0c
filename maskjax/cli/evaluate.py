"""`maskjax evaluate`: the scores of a finished run on labeled rows, class by class."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from maskjax.cli.saved import SavedRun, wanted_splits
from maskjax.cli.show import print_table, show, show_progress
from maskjax.errors import InputError
from maskjax.inference import Evaluation, TaskPredictor
from maskjax.taskfile import write_atomically
from maskjax.tasks import Confusion

MOST_COLUMNS = 12
"""Classes up to which the confusion matrix is printed whole."""
MISTAKES = 10
"""Confusions that are listed where there are more classes."""


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments(SavedRun):
    """Scores a finished run on rows with labels: its own dev and test rows, or any others.

    Prints the task's metric, accuracy and macro-F1 (the mean over the classes that occur), then
    precision, recall and F1 of each class, and which classes are mistaken for which.

    Attributes:
        split: Only this split, such as train or dev; by default all but the training rows.
        path: A file or folder of rows with labels, instead of the rows of the run. No training
            rows are needed, and each file is a split under its own name.
        eval_rows: How many rows of a split to score, or all of them; by default as many as
            --task.eval-rows left in training, and all with --path.
        output: A .json file for all scores and the whole confusion matrix.
    """

    split: str | None = None
    path: str | None = None
    eval_rows: int | Literal["all"] | None = None
    output: Path | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax evaluate`; the exit code is 0."""
    given = tyro.cli(EvaluateArguments, args=arguments, prog="maskjax evaluate")
    if given.output and given.output.suffix != ".json":
        raise InputError(f"--output: expected a name that ends in .json, got {given.output}.")
    with show_progress():
        predictor = given.load()
        data = predictor.load_rows(given.path, given.split, given.eval_rows)
        names = wanted_splits(data, given.split)
        found = {name: predictor.evaluate(data.splits[name]) for name in names}
    for note in data.notes:
        show(f"note: {note}", stderr=True)
    if given.output:
        write_atomically(given.output, _json(given, predictor, found))
    _print(given, found)
    return 0


def _json(
    given: EvaluateArguments, predictor: TaskPredictor, found: dict[str, Evaluation]
) -> bytes:
    splits = {name: evaluation.to_json() for name, evaluation in found.items()}
    record: dict[str, Any] = {"run": str(given.run), "metric": predictor.task.metric}
    return json.dumps({**record, "splits": splits}, indent=2).encode()


def _print(given: EvaluateArguments, found: dict[str, Evaluation]) -> None:
    scores = next(iter(found.values())).scores
    rows = [
        (name, f"{evaluation.rows:,}", *(f"{score:.4f}" for score in evaluation.scores.values()))
        for name, evaluation in found.items()
    ]
    print_table(("split", "rows", *scores), rows, title=str(given.run))
    for name, evaluation in found.items():
        if evaluation.confusion is not None:
            _print_classes(name, evaluation, evaluation.confusion)
            _print_confusion(name, evaluation.confusion)


def _print_classes(name: str, evaluation: Evaluation, found: Confusion) -> None:
    unit = "rows" if evaluation.units == evaluation.rows else "words"
    columns = (found.names, found.precision, found.recall, found.f1, found.support)
    rows = [
        (label, *(f"{share:.4f}" for share in shares), f"{support:,}")
        for label, *shares, support in zip(*columns, strict=True)
    ]
    print_table(("class", "precision", "recall", "F1", unit), rows, title=f"{name}, by class")


def _print_confusion(name: str, found: Confusion) -> None:
    if len(found.names) > MOST_COLUMNS:
        title = f"{name}, most frequent confusions (--output has the whole matrix)"
        mistakes = [(*pair, f"{count:,}") for *pair, count in found.mistakes(MISTAKES)]
        print_table(("label", "predicted", "count"), mistakes, title=title, names=2)
        return
    columns = found.columns
    rows = [
        (label, *(f"{count:,}" for count in counts[: len(columns)]))
        for label, counts in zip(found.names, found.counts.tolist(), strict=True)
    ]
    print_table(("", *columns), rows, title=f"{name}, labels by row and predictions by column")
