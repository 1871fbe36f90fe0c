"""From tables to splits: every text and every label is checked here."""

import math
from typing import Any, cast

import numpy as np
import pandas as pd

from maskjax.errors import InputError
from maskjax.tasks.tables import Table
from maskjax.tasks.task import Split, Task


def read_split(table: Table, task: Task) -> Split:
    """Takes the texts and labels of a task out of a table.

    Args:
        table: The rows.
        task: Names the columns and, for classification, the allowed labels.

    Returns:
        The same rows.

    Raises:
        InputError: If a column is missing, a text is blank, or a label is not one of the task's;
            in regression, if a label is not a finite number.
    """
    labels = _targets(table, task) if task.kind == "regression" else _class_ids(table, task)
    return Split(read_texts(table, task.text), labels)


def read_texts(table: Table, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Takes texts out of a table.

    Args:
        table: The rows.
        columns: The one or two text columns.

    Returns:
        The one or two texts of each row.

    Raises:
        InputError: If a column is missing, or if a text is blank or no string.

    Example:
        >>> frame = pd.DataFrame({"a": ["x", "y"], "b": ["z", "w"]})
        >>> read_texts(Table("train.tsv", frame), ("a", "b"))
        [('x', 'z'), ('y', 'w')]
    """
    return list(zip(*(_texts(table, column) for column in columns), strict=True))


def label_names(table: Table, column: str) -> tuple[str, ...]:
    """Finds the label names of a classification task.

    Args:
        table: The training rows.
        column: The label column.

    Returns:
        The names in the order that the data set declares or, where it declares none, those that
        occur, sorted; whole numbers are sorted as numbers.

    Raises:
        InputError: If the column is missing, or if a row has no label.

    Example:
        >>> label_names(Table("train.tsv", pd.DataFrame({"label": ["10", "9", "10"]})), "label")
        ('9', '10')
    """
    dtype = _column(table, column, "--task.label").dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return tuple(map(str, dtype.categories))
    names = set(_labels(table, column))
    return tuple(sorted(names, key=int if all(map(str.isdecimal, names)) else None))


def _texts(table: Table, column: str) -> list[str]:
    texts = _column(table, column, "--task.text").tolist()
    for row, text in enumerate(texts, 1):
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{table.source} row {row}: expected text in column {column!r}, got {text!r};"
                " fill it in or delete the row."
            )
    return texts


def _class_ids(table: Table, task: Task) -> np.ndarray:
    ids = {name: index for index, name in enumerate(task.labels)}
    names = _labels(table, task.label)
    for row, name in enumerate(names, 1):
        if name not in ids:
            raise InputError(
                f"{table.source} row {row}: expected a label out of {', '.join(task.labels)}"
                f" in column {task.label!r}, got {name!r}; choose the labels with --task.labels."
            )
    return np.array([ids[name] for name in names], np.int32)


def _labels(table: Table, column: str) -> list[str]:
    values = _column(table, column, "--task.label").tolist()
    for row, value in enumerate(values, 1):
        if not _is_label(value):
            raise InputError(
                f"{table.source} row {row}: expected a label in column {column!r}, got {value!r};"
                " fill it in or delete the row."
            )
    return list(map(str, values))


def _is_label(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and not math.isnan(value)


def _targets(table: Table, task: Task) -> np.ndarray:
    values = _column(table, task.label, "--task.label").tolist()
    with np.errstate(over="ignore"):  # what overflows is reported below
        targets = np.array([_number(value) for value in values]).astype(np.float32)
    for row, value in enumerate(values, 1):
        if not np.isfinite(targets[row - 1]):
            raise InputError(
                f"{table.source} row {row}: expected a finite number in column {task.label!r},"
                f" got {value!r}."
            )
    return targets


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _column(table: Table, name: str, option: str) -> pd.Series:
    if name not in table.frame.columns:
        columns = ", ".join(map(repr, table.frame.columns))
        raise InputError(
            f"{table.source}: no column {name!r}; the columns are {columns};"
            f" choose one with {option}."
        )
    return cast(pd.Series, table.frame[name])  # column names are unique
