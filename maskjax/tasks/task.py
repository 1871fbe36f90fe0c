"""A task and its loaded rows.

A row is an example, and a unit is what gets a label: each word of a row where the kind is
`tokens`, otherwise the row itself.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from maskjax.models.config import TaskType

IGNORED = -100
"""The label id of words that neither the loss nor the metrics count."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The inputs, outputs and metric of a task.

    Attributes:
        name: The name of the task.
        kind: Classification predicts one of `labels`, regression a number, tokens one of `labels`
            for each word, choice which of several texts continues the first.
        text: The columns that hold the text; two columns make a sentence pair. For tokens, the
            column of lists of words.
        label: The column that holds the label; for tokens, lists of labels.
        labels: Label names in the order of their class ids; empty for regression. For choice,
            the names of the choices in their order.
        choices: The columns that hold the texts to choose from; empty for the other kinds.
        metric: The metric that selects models, a key of `METRICS` or `ENTITY_METRICS`.
        positive: The positive class of f1; None means the second label.

    Example:
        >>> task = Task(name="sst2", text=("sentence",), labels=("negative", "positive"))
        >>> task.num_outputs
        2
    """

    name: str
    kind: TaskType = "classification"
    text: tuple[str, ...] = ("text",)
    label: str = "label"
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    metric: str = "accuracy"
    positive: str | None = None

    @property
    def num_outputs(self) -> int:
        """The width of the model's output: one logit per label, or one number."""
        return len(self.labels) or 1

    @property
    def positive_id(self) -> int:
        """The class id of the positive class of f1."""
        return 1 if self.positive is None else self.labels.index(self.positive)


class Split(NamedTuple):
    """The rows of one split.

    Attributes:
        texts: The one or two texts of each row; for tokens, its words; for choice, the first text
            and then each text that may continue it.
        labels: Class ids, int32, or regression targets, float32; [units]. For tokens, `IGNORED`
            marks words that have no label and are not scored.
        kind: The kind of the task, which defines `texts`.

    Example:
        >>> words = [("a", "b"), ("c",), ("d", "e")]
        >>> split = Split(words, np.array([0, 1, 2, 3, 4], np.int32), "tokens")
        >>> split.take(np.array([2, 0])).labels.tolist()
        [0, 1, 3, 4]
    """

    texts: list[tuple[str, ...]]
    labels: np.ndarray
    kind: TaskType = "classification"

    @property
    def sizes(self) -> np.ndarray:
        """The number of units of each row; [rows] int64."""
        if self.kind == "tokens":
            return np.array([len(words) for words in self.texts], np.int64)
        return np.ones(len(self.texts), np.int64)

    def take(self, rows: np.ndarray) -> "Split":
        """Selects rows, which stay in the order of the split."""
        chosen = np.zeros(len(self.texts), bool)
        chosen[rows] = True
        texts = [self.texts[row] for row in np.flatnonzero(chosen)]
        return Split(texts, self.labels[np.repeat(chosen, self.sizes)], self.kind)


def labeled_words(
    labels: np.ndarray, sizes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Finds the words that are scored.

    Example:
        >>> labeled, sizes = labeled_words(np.array([0, IGNORED, 1]), np.array([2, 1]))
        >>> labeled.tolist(), sizes.tolist()
        ([True, False, True], [1, 1])
    """
    labeled = labels != IGNORED
    if sizes is None:
        return labeled, None
    sentences = np.repeat(np.arange(len(sizes)), sizes)
    return labeled, np.bincount(sentences[labeled], minlength=len(sizes))


class LoadedTask(NamedTuple):
    """A task with its rows.

    Attributes:
        task: The task.
        splits: The rows of "train", and of "dev", "test", "holdout" and further splits if they
            exist.
        notes: Notes on the rows for people, such as lines that were skipped.
    """

    task: Task
    splits: dict[str, Split]
    notes: tuple[str, ...] = ()

    @property
    def selection(self) -> str:
        """The name of the split that selects models: "holdout" if it exists, else "dev"."""
        return "holdout" if "holdout" in self.splits else "dev"
