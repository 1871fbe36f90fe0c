"""`maskjax submit`: a finished run's predictions for the GLUE leaderboard."""

from pathlib import Path

from maskjax.cli.common import OneRun
from maskjax.cli.show import show, show_progress
from maskjax.errors import InputError


def submit(run: OneRun, *, out: Path, path: str | None = None) -> None:
    """Labels the test rows of a GLUE task, whose labels are withheld, for the leaderboard.

    Args:
        out: The folder for the files, such as CoLA.tsv; zip those of all tasks to submit them.
        path: A file or folder with the test rows, instead of those of the run; no training rows
            are needed.
    """
    from maskjax.inference import predict_rows
    from maskjax.taskfile import write_atomically
    from maskjax.tasks import load_test_texts, submission_file, submission_text

    predictor = run.load_predictor()
    ((name, task),) = predictor.tasks.items()
    submission_file(task, "test")  # refuses other tasks before rows are read
    config = predictor.configs[name]
    offline = run.offline or config.model.offline
    tests = load_test_texts(task, config.task, path=path, offline=offline)
    if not tests:
        raise InputError(f"Task {task.name}: there are no test rows to label.")
    out.mkdir(parents=True, exist_ok=True)
    for split, texts in tests.items():
        with show_progress():
            predicted = predict_rows(task, predictor.logits(texts))
        predictions = [p["score" if task.kind == "regression" else "label"] for p in predicted]
        file = out / submission_file(task, split)
        write_atomically(file, submission_text(task, predictions).encode())
        show(f"{file}: {len(texts):,} rows")
