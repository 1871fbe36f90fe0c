"""The texts of tables; every one is checked here."""

from typing import Any

import numpy as np
import pandas as pd

from maskjax.errors import InputError
from maskjax.tasks.readers import Table, separator_hint
from maskjax.tasks.task import Task
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates


def read_texts(table: Table, task: Task) -> list[tuple[str, ...]]:
    """Takes texts out of a table.

    Args:
        table: The rows.
        task: Its kind and its columns.

    Returns:
        The one or two texts of each row; for tokens, its words; for choice, the first text and
        each text to choose from, behind the second text where there is one.

    Raises:
        InputError: If a column is missing, or if a text is blank, no string or no Unicode.

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
    """Finds a column, or says which there are."""
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
    """The items of a cell that holds a list; None if it holds none."""
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    return np.asarray(value, object).tolist()


def _texts(table: Table, column: str, option: str) -> list[str]:
    texts = find_column(table, column, option).tolist()
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{table.place(row)}: expected text in column {column!r}, got {text!r};"
                " fill it in or delete the row."
            )
        _check_unicode(text, table.place(row), column)
    return texts


def _sentences(table: Table, column: str) -> list[tuple[str, ...]]:
    cells = find_column(table, column, "--task.text").tolist()
    return [_words(cell, table.place(row), column) for row, cell in enumerate(cells)]


def _words(cell: Any, place: str, column: str) -> tuple[str, ...]:
    words = as_list(cell)
    if words is None:
        raise InputError(f"{place}: expected a list of words in column {column!r}, got {cell!r}.")
    if not words:
        raise InputError(
            f"{place}: expected at least one word in column {column!r}, got none; delete the row."
        )
    for number, word in enumerate(words, 1):
        if not isinstance(word, str) or not word:
            raise InputError(
                f"{place} word {number}: expected a word in column {column!r}, got {word!r}; fill"
                " it in or delete the row."
            )
        _check_unicode(word, f"{place} word {number}", column)
    return tuple(words)


def _check_unicode(text: str, place: str, column: str) -> None:
    if has_surrogates(text):
        raise InputError(
            f"{place}: {NOT_UNICODE} in column {column!r}; correct it or delete the row."
        )
