"""The labels of a table, by name."""

from typing import Any, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.models.config import Kind
from maskjax.tasks.readers import Table
from maskjax.tasks.spelling import check_unicode, spell
from maskjax.tasks.texts import as_list, find_column


class Labels(NamedTuple):
    """Labels, and where they stand.

    Attributes:
        table: The rows.
        names: One for each unit, as `spell` spells it.
        sizes: For tokens, the number of labels of each row; [rows].
    """

    table: Table
    names: list[str]
    sizes: np.ndarray | None = None

    def place(self, unit: int) -> str:
        """Names the row of a label, and for tokens its word."""
        if self.sizes is None:
            return self.table.place(unit)
        ends = np.cumsum(self.sizes)
        row = int(np.searchsorted(ends, unit, side="right"))
        word = unit - int(ends[row] - self.sizes[row])
        return f"{self.table.place(row)} word {word + 1}"


def read_labels(table: Table, column: str, kind: Kind) -> Labels:
    """Reads the names of labels."""
    cells = find_column(table, column, "--task.label").tolist()
    sizes = None
    if kind == "tokens":
        rows = [_tags(cell, table.place(row), column) for row, cell in enumerate(cells)]
        sizes = np.array([len(tags) for tags in rows], np.int64)
        cells = [tag for tags in rows for tag in tags]
    labels = Labels(table, [spell(cell) for cell in cells], sizes)
    for unit, name in enumerate(labels.names):
        if not name:
            raise InputError(
                f"{labels.place(unit)}: expected a label in column {column!r}, got"
                f" {cells[unit]!r}; fill it in or delete the row."
            )
    check_unicode(labels.names, column, labels.place)
    return labels


def spellings_in(table: Table, column: str, kind: Kind) -> set[str] | None:
    """Collects how the labels of a table are spelled, whatever they are."""
    found = table.column(column)
    if found is None:
        return None
    if kind != "tokens":
        return {spell(cell) for cell in found.tolist()}
    rows = (as_list(cell) or [cell] for cell in found.tolist())
    return {spell(tag) for tags in rows for tag in tags}


def _tags(cell: Any, place: str, column: str) -> list[Any]:
    tags = as_list(cell)
    if tags is not None:
        return tags
    if spell(cell):
        raise InputError(f"{place}: expected a list of labels in column {column!r}, got {cell!r}.")
    raise InputError(
        f"{place}: expected a label for each word in column {column!r}, got {cell!r}; fill them in"
        " or delete the row."
    )
