"""`maskjax submit`: a finished run's predictions for the GLUE leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from maskjax.cli.saved import SavedRun
from maskjax.cli.show import show_progress
from maskjax.errors import InputError
from maskjax.taskfile import write_atomically
from maskjax.tasks import load_test_texts, submission_file, submission_text


@dataclass(frozen=True, kw_only=True)
class SubmitArguments(SavedRun):
    """Labels the test rows of a GLUE task, whose labels are withheld, for the leaderboard.

    Attributes:
        out: The folder for the files, such as CoLA.tsv; zip those of all tasks to submit them.
        path: A file or folder with the test rows, instead of those of the run; no training rows
            are needed.
    """

    out: Path
    path: str | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax submit`."""
    given = tyro.cli(SubmitArguments, args=arguments, prog="maskjax submit")
    predictor = given.load()
    task = predictor.task
    submission_file(task, "test")  # refuses other tasks before rows are read
    config, offline = predictor.config.task, predictor.config.model.offline
    tests = load_test_texts(task, config, path=given.path, offline=offline)
    if not tests:
        raise InputError(f"Task {task.name}: there are no test rows to label.")
    given.out.mkdir(parents=True, exist_ok=True)
    for split, texts in tests.items():
        with show_progress():
            found = predictor(texts)
        predictions = [p["score" if task.kind == "regression" else "label"] for p in found]
        path = given.out / submission_file(task, split)
        write_atomically(path, submission_text(task, predictions).encode())
        Console().print(f"{path}: {len(texts):,} rows", highlight=False, markup=False)
    return 0
