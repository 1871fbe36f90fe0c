"""Scores of logits on labeled rows, and the combined logits of several models of one task."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import softmax

from maskjax.inference.forward import predict_labels, score_logits
from maskjax.tasks import METRICS, Confusion, Split, Task, count_confusion
from maskjax.tasks.task import labeled_words

By = Literal["logits", "probabilities", "vote"]


class Evaluation(NamedTuple):
    """The scores of a split.

    Attributes:
        rows: How many rows were scored.
        units: How many labels they have: words where the task labels words, else rows.
        scores: By name, the task's metric first; `macro_f1` and `accuracy` of classes; `pearson`,
            `spearman` and `mean_absolute_error` of numbers.
        confusion: How classes are mistaken for each other; None for numbers.
    """

    rows: int
    units: int
    scores: dict[str, float]
    confusion: Confusion | None

    def to_json(self) -> dict[str, Any]:
        """JSON values: rows, units, scores, a record per class, and the confusion matrix.

        The matrix has labels by row and predictions by column.
        """
        record: dict[str, Any] = {"rows": self.rows, "units": self.units, "scores": self.scores}
        if self.confusion is None:
            return record
        confusion = self.confusion
        keys = ("label", "precision", "recall", "f1", "support")
        columns = (confusion.precision, confusion.recall, confusion.f1, confusion.support)
        classes = [
            dict(zip(keys, (name, *(value.item() for value in values)), strict=True))
            for name, *values in zip(confusion.names, *columns, strict=True)
        ]
        matrix = {
            "rows": confusion.names,
            "columns": confusion.columns,
            "counts": confusion.counts[:, : len(confusion.columns)].tolist(),
        }
        return {**record, "classes": classes, "confusion_matrix": matrix}


def evaluate_logits(task: Task, logits: np.ndarray, split: Split) -> Evaluation:
    """Scores the logits of a split.

    Args:
        task: The task.
        logits: `[units, outputs]`; NaN for words without a token.
        split: The rows, with at least one label.

    Returns:
        All scores.

    Example:
        >>> task = Task(name="t", labels=("no", "yes"))
        >>> split = Split([("a",), ("b",)], np.array([0, 1]))
        >>> evaluate_logits(task, np.array([[2.0, 0.0], [1.0, 0.0]]), split).scores["accuracy"]
        0.5
    """
    predictions, labels = predict_labels(task, logits), split.labels
    rows = len(split.texts)
    scores = {task.metric: score_logits(task, logits, labels, split.sizes)}
    if task.kind == "regression":
        others = {name: METRICS[name](predictions, labels) for name in ("pearson", "spearman")}
        error = float(np.abs(predictions.astype(np.float64) - labels).mean())
        return Evaluation(rows, rows, {**scores, **others, "mean_absolute_error": error}, None)
    if task.kind == "tokens":
        kept, _ = labeled_words(labels, None)
        predictions, labels = predictions[kept], labels[kept]
    confusion = count_confusion(predictions, labels, task.labels)
    scores |= {"macro_f1": confusion.macro_f1, "accuracy": confusion.accuracy}
    return Evaluation(rows, len(labels), scores, confusion)


def combine_logits(members: Sequence[np.ndarray], by: By = "logits") -> np.ndarray:
    """Combines the logits of the members of an ensemble.

    Args:
        members: Logits `[units, outputs]` of each member.
        by: The mean of the logits; the mean of the probabilities; or the share of votes. Where
            classes have equally many votes, that with the highest mean probability wins.

    Returns:
        `[units, outputs]` float32, whose highest value in a row is the ensemble's class. A row
        that is NaN in some member, of a word that the member did not see, is NaN.

    Raises:
        ValueError: If there are no members, their shapes differ, or single numbers are to vote.

    Example:
        >>> members = [np.array([[4.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])]
        >>> [combine_logits(members, by).argmax() for by in ("logits", "probabilities", "vote")]
        [np.int64(0), np.int64(0), np.int64(1)]
    """
    shapes = {member.shape for member in members}
    if len(shapes) != 1:
        raise ValueError(f"Expected members of one shape, got {sorted(shapes) or 'no members'}.")
    if by != "logits" and shapes.pop()[1] == 1:
        raise ValueError(f"Expected several outputs to combine by {by}, got one.")
    logits = np.stack(members).astype(np.float64)
    if by == "logits":
        return logits.mean(axis=0).astype(np.float32)
    probabilities = softmax(logits, axis=2).mean(axis=0)
    if by == "probabilities":
        return probabilities.astype(np.float32)
    votes = np.eye(logits.shape[2])[logits.argmax(axis=2)].sum(axis=0)
    # Mean probabilities are less than a vote, so they only decide ties.
    return ((votes + probabilities) / (len(members) + 1)).astype(np.float32)
