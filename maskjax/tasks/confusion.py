"""The confusion matrix and the scores of each class that follow from it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NO_CLASS = "(none)"
"""The column of units without a prediction, such as words beyond the longest sentence."""


class Confusion(NamedTuple):
    """Counts of labels and predictions.

    Attributes:
        names: The classes.
        counts: int64 `[classes, classes + 1]`: units by label and by prediction; the last column
            counts units without a prediction, which are wrong.

    Example:
        >>> predicted, actual = np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1])
        >>> confusion = count_confusion(predicted, actual, ("no", "yes"))
        >>> confusion.counts.tolist(), round(confusion.macro_f1, 3)
        ([[1, 1, 0], [0, 2, 0]], 0.733)
    """

    names: tuple[str, ...]
    counts: np.ndarray

    @property
    def columns(self) -> tuple[str, ...]:
        """The classes, and `NO_CLASS` if some unit has no prediction."""
        return (*self.names, NO_CLASS) if self.counts[:, -1].any() else self.names

    @property
    def support(self) -> np.ndarray:
        """Units of each class; int64 `[classes]`."""
        return self.counts.sum(axis=1)

    @property
    def predicted(self) -> np.ndarray:
        """Predictions of each class; int64 `[classes]`."""
        return self.counts[:, :-1].sum(axis=0)

    @property
    def precision(self) -> np.ndarray:
        """The share of a class's predictions that are right, 0 without any; `[classes]`."""
        return self._correct / np.maximum(self.predicted, 1)

    @property
    def recall(self) -> np.ndarray:
        """The share of a class's units that are found, 0 without any; `[classes]`."""
        return self._correct / np.maximum(self.support, 1)

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall; `[classes]`."""
        return 2 * self._correct / np.maximum(self.predicted + self.support, 1)

    @property
    def accuracy(self) -> float:
        """The share of units that are predicted right."""
        return float(self._correct.sum() / max(self.counts.sum(), 1))

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that are labels or predictions of some unit."""
        occurs = self.predicted + self.support > 0
        return float(self.f1[occurs].mean()) if occurs.any() else 0.0

    @property
    def _correct(self) -> np.ndarray:
        return np.diagonal(self.counts)

    def mistakes(self, limit: int) -> list[tuple[str, str, int]]:
        """Lists the most frequent confusions.

        Args:
            limit: The maximum number of confusions.

        Returns:
            Label, prediction and count, the most frequent first.
        """
        errors = self.counts.copy()
        np.fill_diagonal(errors, 0)
        order = np.argsort(-errors, axis=None, kind="stable")[:limit]
        indices = zip(*np.unravel_index(order, errors.shape), strict=True)
        columns = (*self.names, NO_CLASS)
        return [(self.names[a], columns[b], int(errors[a, b])) for a, b in indices if errors[a, b]]


def count_confusion(predictions: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Confusion:
    """Counts labels and predictions.

    Args:
        predictions: Class ids, or -1 where there is none; [units].
        labels: The true class ids; [units].
        names: The classes in the order of their ids.

    Returns:
        The counts.

    Example:
        >>> confusion = count_confusion(np.array([0, 1, 1]), np.array([0, 1, 0]), ["no", "yes"])
        >>> confusion.recall.tolist()
        [0.5, 1.0]
    """
    size = len(names)
    columns = np.where(predictions < 0, size, predictions)
    flat = np.bincount(labels * (size + 1) + columns, minlength=size * (size + 1))
    return Confusion(tuple(names), flat.reshape(size, size + 1))
