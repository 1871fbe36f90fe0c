"""Metrics from scikit-learn and SciPy; higher is better in all.

Those of named entities, which need sentence boundaries, are in `maskjax.tasks.ner_metrics`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from maskjax.errors import InputError

# scikit-learn and SciPy take a second to import, so each metric imports what it needs.


def _accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(predictions == labels))


def _f1(predictions: np.ndarray, labels: np.ndarray, positive: int = 1) -> float:
    from sklearn.metrics import f1_score

    options: dict[str, Any] = {"labels": [positive], "average": "macro", "zero_division": 0}
    return float(f1_score(labels, predictions, **options))


def _matthews(predictions: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.metrics import matthews_corrcoef

    # scikit-learn warns of a confusion matrix with one entry, for which it returns 0 too.
    if _is_constant(predictions) or _is_constant(labels):
        return 0.0
    return float(matthews_corrcoef(labels, predictions))


def _macro_recall(predictions: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.metrics import recall_score

    classes = np.unique(labels)
    return float(recall_score(labels, predictions, labels=classes, average="macro"))


def _pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    from scipy.stats import pearsonr

    if _is_constant(predictions) or _is_constant(labels):
        return 0.0
    result: Any = pearsonr(predictions.astype(np.float64), labels.astype(np.float64))
    return float(result.statistic)


def _spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    from scipy.stats import spearmanr

    if _is_constant(predictions) or _is_constant(labels):
        return 0.0
    result: Any = spearmanr(predictions, labels)
    return float(result.statistic)


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "matthews": _matthews,
    "macro_recall": _macro_recall,
    "pearson": _pearson,
    "spearman": _spearman,
}
"""Metric → `(predictions, labels) -> score`. `macro_recall` is the mean recall of the classes that
are labels; correlations with a constant are 0."""


def score(metric: str, predictions: np.ndarray, labels: np.ndarray, *, positive: int = 1) -> float:
    """Scores the predictions of a split.

    Args:
        metric: A key of `METRICS`.
        predictions: Class ids, or -1 for no prediction, which is never correct; for "pearson" and
            "spearman", numbers; [rows].
        labels: The true class ids or numbers; [rows].
        positive: The positive class of "f1".

    Returns:
        The score.

    Raises:
        InputError: If there is no such metric.
        ValueError: If there are no rows, or not as many predictions as labels.

    Example:
        >>> score("accuracy", np.array([0, 1]), np.array([0, 0]))
        0.5
    """
    if metric not in METRICS:
        raise InputError(f"--task.metric: expected one of {', '.join(METRICS)}, got {metric!r}.")
    if predictions.shape != labels.shape or predictions.ndim != 1 or not labels.size:
        raise ValueError(
            f"Expected one prediction for each of one or more labels, got predictions of shape"
            f" {predictions.shape} and labels of shape {labels.shape}."
        )
    if metric == "f1":
        return _f1(predictions, labels, positive)
    return METRICS[metric](predictions, labels)


def _is_constant(values: np.ndarray) -> bool:
    return bool(np.all(values == values[0]))
