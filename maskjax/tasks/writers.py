"""Writers of rows: .csv, .tsv, .jsonl and .parquet, as `maskjax.tasks.readers` reads them."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from maskjax.errors import InputError
from maskjax.tasks.readers import Table
from maskjax.tasks.unicode import has_surrogates

Values = Sequence[Any] | pa.ChunkedArray
"""The cells of a column; those of a Parquet file keep their type."""
ColumnData = Mapping[str, Values]
SURROGATE = "a cell has half of a surrogate pair in it, which only .jsonl can hold."
SENTENCE = "sentence"
"""The column of a .csv that numbers the sentences of a task on words."""


def read_columns(path: Path, table: Table) -> dict[str, Values]:
    """Reads the columns of a file with their types, for writing them to another file."""
    if path.suffix == ".parquet":
        from pyarrow.parquet import read_table

        arrow = read_table(path)
        return dict(zip(arrow.column_names, arrow.columns, strict=True))
    return {str(name): cells.tolist() for name, cells in table.frame.items()}


def free_name(name: str, columns: ColumnData) -> str:
    """Prefixes a column name until no column has it.

    Example:
        >>> free_name("label", {"text": [], "label": []})
        'predicted_label'
    """
    while name in columns:
        name = f"predicted_{name}"
    return name


def encode_rows(
    path: Path, columns: ColumnData, *, word_counts: Sequence[int] | None = None
) -> bytes:
    r"""Encodes rows in the format that the extension of a file gives.

    Example:
        >>> encode_rows(Path("out.csv"), {"text": ["a, b"], "score": [0.5]})
        b'text,score\n"a, b",0.5\n'
    """
    if path.suffix not in WRITERS:
        raise InputError(f"{path}: expected a name that ends in {' or '.join(WRITERS)}.")
    return WRITERS[path.suffix](path, columns, word_counts)


def _csv(path: Path, columns: ColumnData, word_counts: Sequence[int] | None) -> bytes:
    if word_counts is not None:
        numbers = [row for row, count in enumerate(word_counts, 1) for _ in range(count)]
        columns = {free_name(SENTENCE, columns): numbers, **_by_word(columns, word_counts)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*map(_texts, columns.values()), strict=True))
    return _as_utf8(path, text.getvalue())


def _tsv(path: Path, columns: ColumnData, word_counts: Sequence[int] | None) -> bytes:
    flat = columns if word_counts is None else _by_word(columns, word_counts)
    rows = list(zip(*map(_texts, flat.values()), strict=True))
    for row, cells in enumerate(rows, 1):
        for name, text in zip(flat, cells, strict=True):
            if any(mark in text for mark in "\t\n\r"):
                raise InputError(
                    f"{path} row {row}: column {name!r} has a tab or a line break in it, which a"
                    " .tsv cannot hold; choose .csv, .jsonl or .parquet."
                )
    lines = ["\t".join(cells) for cells in rows]
    if word_counts is not None:
        ends = np.cumsum(word_counts).tolist()
        lines = ["\n".join([*lines[a:b], ""]) for a, b in zip([0, *ends], ends, strict=False)]
    return _as_utf8(path, "".join(f"{line}\n" for line in ["\t".join(flat), *lines]))


def _jsonl(path: Path, columns: ColumnData, word_counts: Sequence[int] | None) -> bytes:
    del word_counts
    rows = zip(*map(_cells, columns.values()), strict=True)
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    lines = [_json({k: v for k, v in record.items() if not _is_missing(v)}) for record in records]
    return _as_utf8(path, "".join(f"{line}\n" for line in lines))


def _parquet(path: Path, columns: ColumnData, word_counts: Sequence[int] | None) -> bytes:
    from pyarrow.parquet import write_table

    del word_counts
    arrays = {}
    for name, values in columns.items():
        cells = values if isinstance(values, pa.ChunkedArray) else _nulls(values)
        try:
            arrays[name] = cells if isinstance(cells, pa.ChunkedArray) else pa.array(cells)
        except UnicodeEncodeError as error:
            raise InputError(f"{path}: {SURROGATE}") from error
        except (pa.ArrowException, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{path}: column {name!r} has no single type, as Parquet needs it ({reason});"
                " choose .jsonl."
            ) from error
    sink = io.BytesIO()
    write_table(pa.table(arrays), sink)
    return sink.getvalue()


WRITERS: dict[str, Callable[[Path, ColumnData, Sequence[int] | None], bytes]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}


def _by_word(columns: ColumnData, word_counts: Sequence[int]) -> dict[str, list[Any]]:
    return {
        name: [
            item
            for cell, count in zip(_cells(values), word_counts, strict=True)
            for item in (cell if _has_length(cell, count) else [cell] * count)
        ]
        for name, values in columns.items()
    }


def _has_length(cell: Any, count: int) -> bool:
    return isinstance(cell, list | tuple) and len(cell) == count


def _cells(values: Values) -> Sequence[Any]:
    return cast(Any, values).to_pylist() if isinstance(values, pa.ChunkedArray) else values


def _nulls(values: Sequence[Any]) -> list[Any]:
    return [None if _is_missing(value) else value for value in values]


def _is_missing(value: Any) -> bool:
    """Whether a record of a .jsonl lacks a key that others have."""
    return isinstance(value, float) and math.isnan(value)


def _texts(values: Values) -> list[str]:
    return [_text(value) for value in _cells(values)]


def _text(value: Any) -> str:
    if value is None or _is_missing(value):
        return ""
    return _json(value) if isinstance(value, list | tuple | dict) else str(value)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(value, default=str) if has_surrogates(text) else text


def _as_utf8(path: Path, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: {SURROGATE}") from error
