"""Entries of the task registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from maskjax.models.config import TaskType

# The names of the dev split in files and data sets.
DEV_NAMES = ("dev", "valid", "val", "validation")

# The names of the splits on the Hub.
HUB_SPLITS = {"train": "train", "dev": "validation", "test": "test"}

# The branch on which the Hub keeps its own Parquet copy of a data set that is a loading script.
PARQUET = "refs/convert/parquet"


class Columns(NamedTuple):
    """The names of a task's columns in one published form.

    Attributes:
        text: The text columns.
        label: The label column; `a:b` joins two columns.
        choices: The columns of the texts to choose from.
    """

    text: tuple[str, ...] = ("text",)
    label: str = "label"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The source of a task's rows, and how to read them.

    Attributes:
        question: What the task asks about a row, for people; None if no question is written.
        hub: The id of the data set on the Hugging Face Hub; None if there is none.
        subset: The data set's configuration on the Hub.
        revision: The branch, tag or commit on the Hub; None is the main branch.
        splits: The name of each split on the Hub; "validation" stands for all of `DEV_NAMES`.
        text: The text columns.
        label: The label column.
        choices: The columns of the texts to choose from, where the kind is choice.
        also: The column names of other published forms, such as the original files; the form with
            the fewest missing columns is used.
        kind: The kind of the task.
        metric: The metric that selects models; None means the first one for the kind.
        license: A note on the terms of the rows, which is not legal advice.
        tried: Whether this id has been loaded from the live Hub.
    """

    question: str | None = None
    hub: str | None = None
    subset: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=lambda: HUB_SPLITS)
    text: tuple[str, ...] = ("text",)
    label: str = "label"
    choices: tuple[str, ...] = ()
    also: tuple[Columns, ...] = ()
    kind: TaskType = "classification"
    metric: str | None = None
    license: str = "not stated"
    tried: bool = False

    @property
    def columns(self) -> tuple[Columns, ...]:
        """The column names of all forms, that of the Hub first."""
        return (Columns(self.text, self.label, self.choices), *self.also)
