"""Everything that labeled rows say of a model: the task's metric, and the scores of each class."""

from typing import Any, NamedTuple

import numpy as np

from maskjax.inference.forward import predict_labels, score_logits
from maskjax.tasks import METRICS, Confusion, Split, Task, count_confusion
from maskjax.tasks.task import labeled_words


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
        values: dict[str, Any] = {"rows": self.rows, "units": self.units, "scores": self.scores}
        if self.confusion is None:
            return values
        found = self.confusion
        columns = (found.names, found.precision, found.recall, found.f1, found.support)
        keys = ("label", "precision", "recall", "f1", "support")
        classes = [
            dict(zip(keys, (name, *(value.item() for value in rest)), strict=True))
            for name, *rest in zip(*columns, strict=True)
        ]
        matrix = found.counts[:, : len(found.columns)].tolist()
        names = {"rows": found.names, "columns": found.columns}
        return {**values, "classes": classes, "confusion_matrix": {**names, "counts": matrix}}


def evaluate_logits(task: Task, logits: np.ndarray, split: Split) -> Evaluation:
    """Scores the logits of a split.

    Args:
        task: The task.
        logits: `[units, outputs]`; NaN for words without a token.
        split: The rows, with at least one label.

    Returns:
        All scores.
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
    found = count_confusion(predictions, labels, task.labels)
    scores |= {"macro_f1": found.macro_f1, "accuracy": found.accuracy}
    return Evaluation(rows, len(labels), scores, found)
