"""What a task is, and what its rows are once loaded."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task: what a model reads, what it predicts, and how its predictions are scored.

    Attributes:
        name: The name of the task, for people.
        kind: Classification predicts one of `labels`, regression predicts a number.
        text: The columns that hold the text; two columns make a sentence pair.
        label: The column that holds the label.
        labels: Label names in the order of their class ids; empty for regression.
        metric: The metric that selects models, a key of `METRICS`.

    Example:
        >>> task = Task(name="sst2", text=("sentence",), labels=("negative", "positive"))
        >>> task.num_outputs
        2
    """

    name: str
    kind: Kind = "classification"
    text: tuple[str, ...] = ("text",)
    label: str = "label"
    labels: tuple[str, ...] = ()
    metric: str = "accuracy"

    @property
    def num_outputs(self) -> int:
        """The width of the model's output: one logit per label, or one number."""
        return len(self.labels) or 1


class Split(NamedTuple):
    """The rows of one split.

    Attributes:
        texts: The one or two texts of each row.
        labels: Class ids, int32, or regression targets, float32; [rows].
    """

    texts: list[tuple[str, ...]]
    labels: np.ndarray


class LoadedTask(NamedTuple):
    """A task with its rows.

    Attributes:
        task: The task.
        splits: The rows of "train", and of "dev", "test" and "holdout" where they exist.
    """

    task: Task
    splits: dict[str, Split]

    @property
    def selection(self) -> str:
        """The name of the split that selects models: "holdout" where it exists, else "dev"."""
        return "holdout" if "holdout" in self.splits else "dev"
