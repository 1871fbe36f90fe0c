"""Label names, read from tables."""

from typing import Any, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.models.config import TaskType
from maskjax.tasks.readers import Table
from maskjax.tasks.spelling import check_unicode, spell
from maskjax.tasks.texts import as_list, find_column


class Labels(NamedTuple):
    """Label names with their locations in a table."""

    table: Table  # the rows
    names: list[str]  # the name of each unit's label, as `spell` spells it
    sizes: np.ndarray | None = None  # for tokens, the number of labels of each row; [rows]

    def location(self, unit: int) -> str:
        """Names the row of a label, and for tokens its word."""
        if self.sizes is None:
            return self.table.location(unit)
        ends = np.cumsum(self.sizes)
        row = int(np.searchsorted(ends, unit, side="right"))
        word = unit - int(ends[row] - self.sizes[row])
        return f"{self.table.location(row)} word {word + 1}"


def read_labels(table: Table, column: str, kind: TaskType) -> Labels:
    """Reads the names of labels."""
    cells = find_column(table, column, "--task.label").tolist()
    sizes = None
    if kind == "tokens":
        rows = [_tags(cell, table.location(row), column) for row, cell in enumerate(cells)]
        sizes = np.array([len(tags) for tags in rows], np.int64)
        cells = [tag for tags in rows for tag in tags]
    labels = Labels(table, [spell(cell) for cell in cells], sizes)
    for unit, name in enumerate(labels.names):
        if not name:
            raise InputError(
                f"{labels.location(unit)}: expected a label in column {column!r}, got"
                f" {cells[unit]!r}; fill it in or delete the row."
            )
    check_unicode(labels.names, column, labels.location)
    return labels


def spellings_in(table: Table, column: str, kind: TaskType) -> set[str] | None:
    """Collects the spellings in a label column, valid or not; None without the column."""
    cells = table.column(column)
    if cells is None:
        return None
    if kind != "tokens":
        return {spell(cell) for cell in cells.tolist()}
    rows = (as_list(cell) or [cell] for cell in cells.tolist())
    return {spell(tag) for tags in rows for tag in tags}


def _tags(cell: Any, location: str, column: str) -> list[Any]:
    tags = as_list(cell)
    if tags is not None:
        return tags
    if spell(cell):
        raise InputError(
            f"{location}: expected a list of labels in column {column!r}, got {cell!r}."
        )
    raise InputError(
        f"{location}: expected a label for each word in column {column!r}, got {cell!r}; fill them"
        " in or delete the row."
    )
