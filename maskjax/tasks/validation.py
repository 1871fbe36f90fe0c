"""Splits from tables: labels become class ids or numbers."""

import math
from typing import Any

import numpy as np
import pandas as pd

from maskjax.errors import InputError
from maskjax.models.config import TaskType
from maskjax.tasks.labels import Labels, read_labels, spellings_in
from maskjax.tasks.readers import Table
from maskjax.tasks.spelling import (
    SHOWN,
    LabelIndex,
    are_fractions,
    class_key,
    in_order,
    is_ignored,
    spell,
    unify,
)
from maskjax.tasks.task import IGNORED, Split, Task
from maskjax.tasks.texts import as_list, find_column, read_texts


def read_split(table: Table, task: Task, *, trained: bool = False) -> Split:
    """Reads the texts and labels of a task from a table."""
    texts = read_texts(table, task)
    if task.kind == "regression":
        return Split(texts, _targets(table, task), task.kind)
    labels = read_labels(table, task.label, task.kind)
    sizes = [] if labels.sizes is None else labels.sizes.tolist()
    for row, (words, size) in enumerate(zip(texts, sizes, strict=False)):
        if size != len(words):
            raise InputError(
                f"{table.location(row)}: expected one label in column {task.label!r} for each"
                f" of {len(words)} words, got {size} labels."
            )
    return Split(texts, _class_ids(labels, task, trained=trained), task.kind)


def label_names(table: Table, column: str, kind: TaskType = "classification") -> tuple[str, ...]:
    """Finds the label names of a task.

    Example:
        >>> label_names(Table("train.tsv", pd.DataFrame({"label": ["10", "9", "10"]})), "label")
        ('9', '10')
    """
    dtype = find_column(table, column, "--task.label").dtype
    if isinstance(dtype, pd.CategoricalDtype):
        names = [spell(name) for name in dtype.categories]
        return tuple(unify(names, column, lambda unit: f"{table.source} category {unit + 1}"))
    labels = read_labels(table, column, kind)
    if table.declared:
        return table.declared
    names = unify(labels.names, column, labels.location)
    return in_order([name for name in names if kind != "tokens" or not is_ignored(name)])


def has_labels(table: Table, task: Task) -> bool:
    """Whether a split can be scored."""
    names = spellings_in(table, task.label, task.kind) or ()
    index = LabelIndex(task.labels)
    return any(_is_label(name, task, index) for name in names)


def unscored_reason(table: Table, task: Task) -> str:
    """The reason why no row of a table with the label column can be scored; else empty."""
    return "" if has_labels(table, task) else f"all labels of {table.source} are withheld"


def keep_labeled(table: Table, task: Task) -> tuple[Table, np.ndarray]:
    """Drops the rows without a label; also returns whether each row has one, bool [rows]."""
    rows = labeled_rows(table, task)
    return (table if rows.all() else table.take(rows)), rows


def labeled_rows(table: Table, task: Task) -> np.ndarray:
    """Finds the rows with a label."""
    index = LabelIndex(task.labels)
    cells = find_column(table, task.label, "--task.label").tolist()
    rows = [{spell(item) for item in as_list(cell) or [cell]} for cell in cells]
    spellings = set().union(*rows)
    label_spellings = {name for name in spellings if _is_label(name, task, index)}
    # Among other labels, -1 may be a class or a number.
    label_spellings |= {name for name in spellings if index.find(name) is not None}
    if task.kind == "regression":
        label_spellings |= {name for name in spellings if class_key(name) == "-1"}
    return np.array([not label_spellings.isdisjoint(names) for names in rows], bool)


def _is_label(name: str, task: Task, index: LabelIndex) -> bool:
    """Whether a spelling is a label that is neither withheld nor ignored."""
    if index.is_withheld(name):
        return False
    return task.kind != "tokens" or not is_ignored(name) or index.find(name) is not None


def _class_ids(labels: Labels, task: Task, *, trained: bool) -> np.ndarray:
    index = LabelIndex(task.labels)
    ids: dict[str, int] = {}
    for unit, name in enumerate(labels.names):
        if name in ids:
            continue
        class_id = index.find(name)
        if class_id is None and task.kind == "tokens" and is_ignored(name):
            class_id = IGNORED
        if class_id is None:
            raise InputError(_unknown_label(labels.location(unit), name, index, task, trained))
        ids[name] = class_id
    return np.array([ids[name] for name in labels.names], np.int32)


def _unknown_label(location: str, name: str, index: LabelIndex, task: Task, trained: bool) -> str:
    if index.is_withheld(name):
        return (
            f"{location}: expected a label in column {task.label!r}, got {name!r}, which stands for"
            " a label that is withheld; fill it in or delete the row."
        )
    similar = index.similar(name)
    if similar is not None:
        alternative = "" if trained else ", or name both with --task.labels if they are two classes"
        return (
            f"{location}: label {name!r} in column {task.label!r} differs from {similar!r} in"
            f" white space, Unicode form or number format only; write them alike{alternative}."
        )
    listed = ", ".join(task.labels[:SHOWN]) + ", ..." * (len(task.labels) > SHOWN)
    if trained:
        remedy = "the run has no other labels, so correct this one or delete the row"
    else:
        remedy = "name all labels, also those of no training row, with --task.labels"
        remedy += _numbers(task)
    return (
        f"{location}: expected a label out of {listed} in column {task.label!r}, got {name!r};"
        f" {remedy}."
    )


def _numbers(task: Task) -> str:
    """The end of a message about labels that look like measurements; else empty."""
    if task.kind != "classification" or not are_fractions(task.labels):
        return ""
    return ", or predict numbers with --task.kind regression"


def _targets(table: Table, task: Task) -> np.ndarray:
    values = find_column(table, task.label, "--task.label").tolist()
    with np.errstate(over="ignore"):  # what overflows is reported below
        targets = np.array([_number(value) for value in values]).astype(np.float32)
    for row, value in enumerate(values):
        if not np.isfinite(targets[row]):
            raise InputError(
                f"{table.location(row)}: expected a finite number in column {task.label!r},"
                f" got {value!r}; correct it or delete the row."
            )
    return targets


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
