"""New names for the labels of the data, such as `0=anger 1=joy`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from maskjax.errors import InputError
from maskjax.models.config import TaskType
from maskjax.tasks.labels import spellings_in
from maskjax.tasks.readers import Table
from maskjax.tasks.spelling import SHOWN, LabelIndex, in_order, spell
from maskjax.tasks.texts import as_list


def find_renames(labels: Sequence[str], data_labels: Iterable[str]) -> dict[str, str]:
    """Reads `KEY=NAME` entries of `--task.labels`.

    Example:
        >>> find_renames(("0=anger", "1=joy"), {"0", "1"})
        {'0': 'anger', '1': 'joy'}
        >>> find_renames(("a=b", "c=d"), {"a=b", "c=d"})
        {}
    """
    index = LabelIndex(sorted(data_labels))
    pairs = [_split_entry(entry, index) for entry in labels]
    are_whole = [index.find(entry) is not None for entry in labels]
    if not any(pairs) or all(are_whole) or (None in pairs and any(are_whole)):
        return {}
    if None in pairs:
        raise InputError(_unknown_key(labels[pairs.index(None)], data_labels))
    renames = {key: name.strip() for key, name in filter(None, pairs)}
    for key, name in renames.items():
        if not name:
            raise InputError(f"--task.labels: expected a name after {key}=, such as {key}=other.")
    return renames


def stored_renames(entries: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """Finds the renames that a run was trained with.

    Example:
        >>> stored_renames(("0=anger", "1=joy"), ("anger", "joy"))
        {'0': 'anger', '1': 'joy'}
    """
    renames = {
        entry.removesuffix(f"={name}"): name
        for entry, name in zip(entries, labels, strict=False)
        if entry.endswith(f"={name}") and entry not in labels
    }
    return renames if len(renames) == len(labels) == len(entries) else {}


def labels_in(tables: Iterable[Table], column: str, kind: TaskType) -> set[str]:
    """Collects the labels of tables as they are spelled; a table may lack the column."""
    return {name for table in tables for name in spellings_in(table, column, kind) or () if name}


def rename_labels(table: Table, column: str, renames: Mapping[str, str]) -> Table:
    """Renames the labels of a table."""
    cells = table.column(column)
    if cells is None or not renames:
        return table
    index, names = LabelIndex(tuple(renames)), list(renames.values())

    def rename(cell: Any) -> Any:
        items = as_list(cell)
        if items is not None:
            return [rename(item) for item in items]
        class_id = index.find(spell(cell))
        return cell if class_id is None else names[class_id]

    renamed = pd.Series([rename(cell) for cell in cells.tolist()], table.frame.index, dtype=object)
    frame = table.frame.assign(**{column: renamed})
    return table._replace(frame=frame, declared=tuple(map(rename, table.declared)))


def _unknown_key(entry: str, data_labels: Iterable[str]) -> str:
    names = in_order(sorted(data_labels))
    listed = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
    return (
        f"--task.labels: {entry.partition('=')[0]!r} of {entry!r} is no label of the data; expected"
        f" OLD=NEW for each of its labels, which are {listed}."
    )


def _split_entry(entry: str, index: LabelIndex) -> tuple[str, str] | None:
    """Splits an entry at the first equals sign that follows a label of the data."""
    for position, character in enumerate(entry):
        if character == "=" and index.find(entry[:position].strip()) is not None:
            return entry[:position].strip(), entry[position + 1 :]
    return None
