"""Texts, read from tables and checked."""

from typing import Any

import numpy as np
import pandas as pd

from maskjax.errors import InputError
from maskjax.tasks.readers import Table, separator_hint
from maskjax.tasks.task import Task
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates


def read_texts(table: Table, task: Task) -> list[tuple[str, ...]]:
    """Reads the texts of a table.

    Args:
        table: The rows.
        task: The task, for its kind and columns.

    Returns:
        The one or two texts of each row; for tokens, its words; for choice, the first text and
        each choice, after the second text if there is one.

    Raises:
        InputError: If a column is missing, or if a text is blank, not a string or not valid
            Unicode.

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


def find_column(table: Table, name: str, option: str) -> pd.Series:
    """Finds a column; an error lists the columns of the table."""
    column = table.column(name)
    if column is None:
        columns = ", ".join(map(repr, table.frame.columns))
        remedy = (
            separator_hint(list(table.frame.columns))
            or f"; choose one with {option} for training, or rename it in the file"
        )
        raise InputError(f"{table.source}: no column {name!r}; the columns are {columns}{remedy}.")
    return column


def as_list(value: Any) -> list[Any] | None:
    """The items of a cell that holds a list; None for other cells."""
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    return np.asarray(value, object).tolist()


def _texts(table: Table, column: str, option: str) -> list[str]:
    texts = find_column(table, column, option).tolist()
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{table.location(row)}: expected text in column {column!r}, got {text!r};"
                " fill it in or delete the row."
            )
        _check_unicode(text, table.location(row), column)
    return texts


def _sentences(table: Table, column: str) -> list[tuple[str, ...]]:
    cells = find_column(table, column, "--task.text").tolist()
    return [_words(cell, table.location(row), column) for row, cell in enumerate(cells)]


def _words(cell: Any, location: str, column: str) -> tuple[str, ...]:
    words = as_list(cell)
    if words is None:
        raise InputError(
            f"{location}: expected a list of words in column {column!r}, got {cell!r}."
        )
    if not words:
        raise InputError(
            f"{location}: expected at least one word in column {column!r}, got none; delete the"
            " row."
        )
    for number, word in enumerate(words, 1):
        if not isinstance(word, str) or not word:
            raise InputError(
                f"{location} word {number}: expected a word in column {column!r}, got {word!r};"
                " fill it in or delete the row."
            )
        _check_unicode(word, f"{location} word {number}", column)
    return tuple(words)


def _check_unicode(text: str, location: str, column: str) -> None:
    if has_surrogates(text):
        raise InputError(
            f"{location}: {NOT_UNICODE} in column {column!r}; correct it or delete the row."
        )
