"""From tables to splits: every text and every label is checked here."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from maskjax.errors import InputError
from maskjax.models.config import Kind
from maskjax.tasks.tables import Table
from maskjax.tasks.task import Split, Task

SHOWN = 20
"""Labels that an error message lists; some tasks have many."""


def read_split(table: Table, task: Task) -> Split:
    """Takes the texts and labels of a task out of a table.

    Args:
        table: The rows.
        task: Names the columns and, but for regression, the allowed labels.

    Returns:
        The same rows.

    Raises:
        InputError: If a column is missing, a text is blank, a row has not one label for each of
            its words, or a label is not one of the task's; in regression, if a label is not a
            finite number.
    """
    texts = read_texts(table, task)
    if task.kind == "regression":
        labels = _targets(table, task)
    elif task.kind == "tokens":
        labels = _tag_ids(table, task, texts)
    else:
        labels = _class_ids(table, task)
    return Split(texts, labels, task.kind)


def read_texts(table: Table, task: Task) -> list[tuple[str, ...]]:
    """Takes texts out of a table.

    Args:
        table: The rows.
        task: Its kind and its columns.

    Returns:
        The one or two texts of each row; for tokens, its words; for choice, the first text and
        each text to choose from, behind the second text where there is one.

    Raises:
        InputError: If a column is missing, or if a text is blank or no string.

    Example:
        >>> frame = pd.DataFrame({"a": ["x", "y"], "b": ["z", "w"]})
        >>> read_texts(Table("train.tsv", frame), Task(name="pairs", text=("a", "b")))
        [('x', 'z'), ('y', 'w')]
    """
    if task.kind == "tokens":
        return _sentences(table, task.text[0])
    columns = [_texts(table, column, "--task.text") for column in task.text]
    if task.kind != "choice":
        return list(zip(*columns, strict=True))
    first, *second = columns
    endings = [_texts(table, column, "--task.choices") for column in task.choices]
    if second:
        endings = [[" ".join(pair) for pair in zip(*second, e, strict=True)] for e in endings]
    return list(zip(first, *endings, strict=True))


def label_names(table: Table, column: str, kind: Kind = "classification") -> tuple[str, ...]:
    """Finds the label names of a task.

    Args:
        table: The training rows.
        column: The label column.
        kind: For tokens, the column holds lists of labels.

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
    if kind == "tokens":
        names = {name for tags in _tags(table, column) for name in tags}
        return table.declared or _in_order(names)
    return _in_order(set(_labels(table, column)))


def _in_order(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=int if all(map(str.isdecimal, names)) else None))


def _texts(table: Table, column: str, option: str) -> list[str]:
    texts = _column(table, column, option).tolist()
    for row, text in enumerate(texts, 1):
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{table.source} row {row}: expected text in column {column!r}, got {text!r};"
                " fill it in or delete the row."
            )
    return texts


def _sentences(table: Table, column: str) -> list[tuple[str, ...]]:
    sentences = _lists(table, column, "--task.text", "words")
    for row, words in enumerate(sentences, 1):
        if not words:
            raise InputError(
                f"{table.source} row {row}: expected at least one word in column {column!r}, got"
                " none; delete the row."
            )
        for place, word in enumerate(words, 1):
            if not isinstance(word, str) or not word:
                raise InputError(
                    f"{table.source} row {row} word {place}: expected a word in column {column!r},"
                    f" got {word!r}; fill it in or delete the row."
                )
    return list(map(tuple, sentences))


def _tags(table: Table, column: str) -> list[list[str]]:
    rows = _lists(table, column, "--task.label", "labels")
    for row, tags in enumerate(rows, 1):
        for place, tag in enumerate(tags, 1):
            if not _is_label(tag):
                raise InputError(
                    f"{table.source} row {row} word {place}: expected a label in column"
                    f" {column!r}, got {tag!r}; fill it in or delete the row."
                )
    return [list(map(str, tags)) for tags in rows]


def _lists(table: Table, column: str, option: str, what: str) -> list[list[Any]]:
    values = _column(table, column, option).tolist()
    for row, value in enumerate(values, 1):
        if not isinstance(value, list | tuple | np.ndarray):
            raise InputError(
                f"{table.source} row {row}: expected a list of {what} in column {column!r}, got"
                f" {value!r}."
            )
    return [np.asarray(value, object).tolist() for value in values]


def _class_ids(table: Table, task: Task) -> np.ndarray:
    names = _labels(table, task.label)
    places = (f"{table.source} row {row}" for row in range(1, len(names) + 1))
    return _ids(task, names, places)


def _tag_ids(table: Table, task: Task, texts: Sequence[tuple[str, ...]]) -> np.ndarray:
    rows = _tags(table, task.label)
    for row, (words, tags) in enumerate(zip(texts, rows, strict=True), 1):
        if len(tags) != len(words):
            raise InputError(
                f"{table.source} row {row}: expected one label in column {task.label!r} for each"
                f" of {len(words)} words, got {len(tags)} labels."
            )
    places = (
        f"{table.source} row {row} word {place}"
        for row, tags in enumerate(rows, 1)
        for place in range(1, len(tags) + 1)
    )
    return _ids(task, [name for tags in rows for name in tags], places)


def _ids(task: Task, names: list[str], places: Iterable[str]) -> np.ndarray:
    ids = {name: index for index, name in enumerate(task.labels)}
    for name, place in zip(names, places, strict=True):
        if name not in ids:
            known = ", ".join(task.labels[:SHOWN]) + ", ..." * (len(ids) > SHOWN)
            raise InputError(
                f"{place}: expected a label out of {known} in column {task.label!r}, got {name!r};"
                " name all labels, also those of no training row, with --task.labels."
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
    column = table.column(name)
    if column is None:
        columns = ", ".join(map(repr, table.frame.columns))
        raise InputError(
            f"{table.source}: no column {name!r}; the columns are {columns};"
            f" choose one with {option}."
        )
    return column
