"""The metrics that tasks are scored by; in all of them, higher is better.

Those of named entities, which need to know where sentences end, are in `maskjax.tasks.ner_metrics`.
"""

from collections.abc import Callable

import numpy as np

from maskjax.errors import InputError


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Computes the share of rows that are predicted right.

    Example:
        >>> accuracy(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]))
        0.75
    """
    return float(np.mean(predictions == labels))


def f1(predictions: np.ndarray, labels: np.ndarray, positive: int = 1) -> float:
    """Computes the harmonic mean of precision and recall of the positive class.

    Example:
        >>> f1(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]))
        0.8
    """
    found, true = predictions == positive, labels == positive
    return float(2 * np.sum(found & true) / max(np.sum(found) + np.sum(true), 1))


def matthews(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Computes the Matthews correlation of two or more classes.

    It is the correlation of the two one-hot matrices (Gorodkin, "Comparing two K-category
    assignments by a K-category correlation coefficient", 2004), which for two classes is the
    correlation that Matthews defined in 1975.

    Example:
        >>> round(matthews(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1])), 3)
        0.577
    """
    classes = np.union1d(predictions, labels)
    return _correlation(
        predictions[:, None] == classes[None, :], labels[:, None] == classes[None, :]
    )


def macro_recall(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Computes the mean, over the classes, of the share of their rows that is predicted right.

    Example:
        >>> macro_recall(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
        0.75
    """
    right = predictions == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Computes the linear correlation of predicted and true numbers.

    Example:
        >>> round(pearson(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])), 3)
        0.982
    """
    if _is_constant(predictions) or _is_constant(labels):
        return 0.0
    return _correlation(predictions.astype(np.float64), labels.astype(np.float64))


def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Computes the correlation of the ranks of predicted and true numbers.

    Example:
        >>> round(spearman(np.array([1.0, 2.0, 9.0, 8.0]), np.array([1.0, 2.0, 3.0, 4.0])), 3)
        0.8
    """
    from scipy.stats import rankdata  # slow to import

    return pearson(rankdata(predictions), rankdata(labels))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews": matthews,
    "macro_recall": macro_recall,
    "pearson": pearson,
    "spearman": spearman,
}


def score(metric: str, predictions: np.ndarray, labels: np.ndarray, *, positive: int = 1) -> float:
    """Scores the predictions of a split.

    Args:
        metric: A key of `METRICS`.
        predictions: Class ids, or -1 where there is none, which is never right; for "pearson" and
            "spearman", numbers; [rows].
        labels: What would have been right; [rows].
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
        return f1(predictions, labels, positive)
    return METRICS[metric](predictions, labels)


def _correlation(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Correlates two arrays whose first axis is that of rows, each column around its own mean."""
    predicted = predicted - predicted.mean(axis=0, keepdims=True)
    actual = actual - actual.mean(axis=0, keepdims=True)
    scale = np.sqrt(np.sum(predicted**2) * np.sum(actual**2))
    return float(np.clip(np.sum(predicted * actual) / scale, -1, 1)) if scale else 0.0


def _is_constant(values: np.ndarray) -> bool:
    return bool(np.all(values == values[0]))
