"""Files of rows: .tsv, .csv, .jsonl and .parquet."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from maskjax.errors import InputError, suggest
from maskjax.tasks.spelling import class_key, spell
from maskjax.tasks.unicode import NOT_UNICODE, arrow_frame, has_surrogates

# The largest value that `csv.field_size_limit` takes where a C long has 32 bits.
ANY_LENGTH = 2**31 - 1


class Table(NamedTuple):
    """Rows with their source.

    Attributes:
        source: The file, or the data set and its split, as error messages name it.
        frame: The rows.
        declared: The label names in the order that the data set declares, for lists of labels;
            a column of single labels is categorical instead.
        notes: Notes on lines that were skipped.
        unread: For training rows, notes on other files that no split is read from.
        source_rows: The positions of the rows in the source where some were left out; [rows].
    """

    source: str
    frame: pd.DataFrame
    declared: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    source_rows: np.ndarray | None = None

    def location(self, row: int) -> str:
        """Names the source and the number in it of a row of the frame, for messages."""
        number = row if self.source_rows is None else self.source_rows[row]
        return f"{self.source} row {number + 1}"

    def take(self, rows: np.ndarray) -> "Table":
        """Keeps the rows that a mask selects; bool [rows]."""
        source_rows = np.arange(len(self.frame)) if self.source_rows is None else self.source_rows
        return self._replace(frame=self.frame[rows], source_rows=source_rows[rows])

    def column(self, name: str) -> pd.Series | None:
        """The column of a name, or None; `a:b` is the columns a and b joined by a colon."""
        if name in self.frame.columns:
            return cast(pd.Series, self.frame[name])  # column names are unique
        names = name.split(":")
        if len(names) == 1 or not set(names) <= set(self.frame.columns):
            return None
        cells = zip(*(self.frame[column].tolist() for column in names), strict=True)
        return pd.Series([_join(row) for row in cells], dtype=object)


def _join(cells: Iterable[Any]) -> str:
    """Joins cells; the result is withheld if all are, and missing if one is."""
    names = [spell(cell) for cell in cells]
    if "" in names:
        return ""
    return names[0] if {class_key(name) for name in names} == {"-1"} else ":".join(names)


def read_table(path: str | Path) -> pd.DataFrame:
    r"""Reads a file of rows without inferring types: every cell of a .tsv or .csv is a string.

    The cells of a .tsv are separated by tabs and never quoted: `"` is an ordinary character, and a
    cell may be empty. A .csv has the usual quotes. Both start with a line of column names.
    A .jsonl has one JSON object per line, whose keys are the columns. Blank lines are skipped, and
    a cell may have any length.

    Args:
        path: The file; its extension gives the format.

    Returns:
        The rows, at least one.

    Raises:
        InputError: If the file is missing, has no rows or is not UTF-8, or if a row does not parse
            or does not fit the columns. Rows count from 1, after the line of column names and
            without blank lines.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "train.tsv")
        ...     _ = path.write_text('text\tlabel\nthe "best"\t1\n')
        ...     read_table(path).to_dict("records")
        [{'text': 'the "best"', 'label': '1'}]
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise InputError(f"{path}: expected a file that ends in {' or '.join(READERS)}.")
    if not path.is_file():
        raise InputError(f"No file {path}; {suggest_paths(path)}")
    frame = READERS[path.suffix](path)
    if frame.empty:
        raise InputError(f"{path}: expected at least one row, the file has none.")
    return frame


def suggest_paths(path: Path) -> str:
    """Lists the names most similar to a missing file or folder, for messages.

    Example:
        >>> suggest_paths(Path("/no-such-folder/data")).startswith("in /, ")
        True
    """
    path = path.absolute()
    while not path.parent.is_dir():
        path = path.parent
    names = sorted(entry.name for entry in path.parent.iterdir())
    return f"in {path.parent}, {suggest(path.name, names, count=5)}"


def _read_tsv(path: Path) -> pd.DataFrame:
    lines = (line.removesuffix("\r") for line in read_lines(path))
    return _to_frame(path, (line.split("\t") for line in lines if not is_blank(line)))


def _read_csv(path: Path) -> pd.DataFrame:
    records = csv.reader(io.StringIO(_decode(path), newline=""), strict=True)
    try:
        with _any_length():
            return _to_frame(path, (cells for cells in records if not _is_blank_record(cells)))
    except csv.Error as error:
        raise InputError(f"{path} line {records.line_num}: not valid CSV: {error}.") from error


@contextmanager
def _any_length() -> Iterator[None]:
    """Lifts the csv module's limit on the length of a cell, which is global to the process."""
    limit = csv.field_size_limit(ANY_LENGTH)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _read_jsonl(path: Path) -> pd.DataFrame:
    lines = (line for line in read_lines(path) if line.strip())
    records = [_parse_json(path, row, line) for row, line in enumerate(lines, 1)]
    return pd.DataFrame(records, dtype=object)


def _read_parquet(path: Path) -> pd.DataFrame:
    from pyarrow.parquet import read_table

    try:
        table = read_table(path)
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a Parquet file that can be read: {reason}") from error
    return arrow_frame(str(path), table)


def is_blank(line: str) -> bool:
    """Whether a line has nothing but spaces, and no tab, which separates cells."""
    return not line.strip(" \r")


def _is_blank_record(cells: list[str]) -> bool:
    """Whether a record of a .csv is a blank line, as pandas reads it; `""` is an empty cell."""
    return not cells or (len(cells) == 1 and cells[0] != "" and not cells[0].strip(" \t"))


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a file."""
    text = _decode(path).removesuffix("\n")
    return text.split("\n") if text else []  # splitlines() would split at rarer characters too


def _decode(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")  # spreadsheets put a byte order mark in front
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8; save the file as UTF-8.") from error


def _to_frame(path: Path, lines: Iterable[list[str]]) -> pd.DataFrame:
    header, *rows = list(lines) or [[]]
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}: expected different column names, got {repeated[0]!r} twice.")
    for row, cells in enumerate(rows, 1):
        if len(cells) != len(header):
            raise InputError(
                f"{path} row {row}: expected {len(header)} cells, one for each column name in the"
                f" first line, got {len(cells)}{separator_hint(header)}."
            )
    return pd.DataFrame(rows, columns=pd.Index(header), dtype=str)


def separator_hint(header: Sequence[str]) -> str:
    """A remedy for a header whose separator is not that of the format.

    Example:
        >>> separator_hint(["text;label"])
        "; its cells seem to be separated by ';': save it as .csv with commas, or as .tsv with tabs"
        >>> separator_hint(["text", "label"])
        ''
    """
    separators = [mark for mark in (";", "\t", "|", ",") if len(header) == 1 and mark in header[0]]
    if not separators:
        return ""
    return (
        f"; its cells seem to be separated by {separators[0]!r}: save it as .csv with commas, or as"
        " .tsv with tabs"
    )


def _parse_json(path: Path, row: int, line: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} row {row}: not valid JSON: {error}.") from error
    except (RecursionError, ValueError) as error:  # deeply nested lists, or a very long number
        raise InputError(f"{path} row {row}: JSON that cannot be read: {error}.") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} row {row}: expected a JSON object, got {line[:40]}.")
    for name in record:
        if has_surrogates(name):
            raise InputError(f"{path} row {row}: column {name!r}: {NOT_UNICODE}.")
    return record


READERS = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
