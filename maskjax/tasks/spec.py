"""What the registry knows of a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from maskjax.models.config import Kind

# What files and data sets call the dev split.
DEV_NAMES = ("dev", "valid", "val", "validation")

# What the Hub calls a split.
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
    """Where the rows of a task are, and how to read them.

    Attributes:
        question: What the task asks about a row; None where no question is written.
        hub: The id of the data set on the Hugging Face Hub; None where there is none.
        subset: The data set's configuration on the Hub.
        revision: The branch, tag or commit on the Hub; None is the main branch.
        splits: What the Hub calls each split; "validation" stands for all of `DEV_NAMES`.
        text: The text columns.
        label: The label column.
        choices: The columns of the texts to choose from, where the kind is choice.
        also: The column names of other published forms, such as the original files; the form is
            taken of which a table lacks the fewest columns.
        kind: What is predicted.
        metric: The metric that selects models; None is the first of the kind.
        license: A note on the terms of the rows, no legal advice.
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
    kind: Kind = "classification"
    metric: str | None = None
    license: str = "not stated"
    tried: bool = False

    @property
    def columns(self) -> tuple[Columns, ...]:
        """The column names of all forms, that of the Hub first."""
        return (Columns(self.text, self.label, self.choices), *self.also)
