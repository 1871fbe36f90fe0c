"""Predictions for the GLUE leaderboard, in the format of https://gluebenchmark.com.

The diagnostic set, AX, is not a task of its own, and no file is written for it.
"""

from collections.abc import Sequence

from maskjax.errors import InputError
from maskjax.tasks.task import Task

FILES = {
    ("glue/cola", "test"): "CoLA.tsv",
    ("glue/sst2", "test"): "SST-2.tsv",
    ("glue/mrpc", "test"): "MRPC.tsv",
    ("glue/qqp", "test"): "QQP.tsv",
    ("glue/stsb", "test"): "STS-B.tsv",
    ("glue/mnli", "test"): "MNLI-m.tsv",
    ("glue/mnli", "test_mismatched"): "MNLI-mm.tsv",
    ("glue/qnli", "test"): "QNLI.tsv",
    ("glue/rte", "test"): "RTE.tsv",
    ("glue/wnli", "test"): "WNLI.tsv",
}

# The leaderboard's spelling of each label name that the rows may have.
ENTAILMENT = {"entailment": "entailment", "not_entailment": "not_entailment"}
SPELLING = {
    "glue/cola": {"0": "0", "1": "1", "unacceptable": "0", "acceptable": "1"},
    "glue/sst2": {"0": "0", "1": "1", "negative": "0", "positive": "1"},
    "glue/mrpc": {"0": "0", "1": "1", "not_equivalent": "0", "equivalent": "1"},
    "glue/qqp": {"0": "0", "1": "1", "not_duplicate": "0", "duplicate": "1"},
    "glue/mnli": {name: name for name in ("entailment", "neutral", "contradiction")},
    "glue/qnli": ENTAILMENT,
    "glue/rte": ENTAILMENT,
    "glue/wnli": {"0": "0", "1": "1", "not_entailment": "0", "entailment": "1"},
}


def submission_file(task: Task, split: str) -> str:
    """Names the file of a submission.

    Args:
        task: A task of GLUE.
        split: "test", or for MNLI also "test_mismatched".

    Returns:
        The name that the leaderboard expects.

    Raises:
        InputError: If the leaderboard has no such task.

    Example:
        >>> submission_file(Task(name="glue/mnli"), "test_mismatched")
        'MNLI-mm.tsv'
    """
    if (task.name, split) not in FILES:
        names = ", ".join(dict.fromkeys(name for name, _ in FILES))
        raise InputError(f"Task {task.name}: the GLUE leaderboard accepts {split} of {names} only.")
    return FILES[task.name, split]


def submission_text(task: Task, predictions: Sequence[str | float]) -> str:
    r"""Formats predictions for the leaderboard.

    Args:
        task: A task of GLUE.
        predictions: A label name for each test row, in their order; for STS-B a number, which is
            moved into the range from 0 to 5.

    Returns:
        The lines of the file, the first with the column names.

    Raises:
        InputError: If the leaderboard has no such label.

    Example:
        >>> submission_text(Task(name="glue/sst2"), ["positive", "negative"])
        'index\tprediction\n0\t1\n1\t0\n'
    """
    if task.kind == "regression":
        values = [f"{min(max(float(value), 0.0), 5.0):.3f}" for value in predictions]
    else:
        values = [_spell(task, str(name)) for name in predictions]
    rows = ["index\tprediction", *(f"{row}\t{value}" for row, value in enumerate(values))]
    return "".join(f"{row}\n" for row in rows)


def _spell(task: Task, name: str) -> str:
    spelling = SPELLING[task.name]
    if name not in spelling:
        raise InputError(
            f"Task {task.name}: the GLUE leaderboard has the labels {', '.join(spelling)}, not"
            f" {name!r}; train with --task.labels that are among them."
        )
    return spelling[name]
