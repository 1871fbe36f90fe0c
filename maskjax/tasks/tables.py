"""Files of rows: .tsv, .csv, .jsonl and .parquet."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
from pyarrow import ArrowException

from maskjax.errors import InputError, near_names


class Table(NamedTuple):
    """Rows, and where they come from.

    Attributes:
        source: The file, or the data set and its split, as error messages name it.
        frame: The rows.
        declared: The label names in the order that the data set declares, for lists of labels;
            a column of single labels is categorical instead.
        notes: What was skipped while reading, for people.
    """

    source: str
    frame: pd.DataFrame
    declared: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> pd.Series | None:
        """Finds a column; `a:b` is the columns a and b joined by a colon; None if there is none."""
        if name in self.frame.columns:
            return cast(pd.Series, self.frame[name])  # column names are unique
        parts = name.split(":")
        if len(parts) == 1 or not set(parts) <= set(self.frame.columns):
            return None
        cells = zip(*(self.frame[part].astype(str) for part in parts), strict=True)
        return pd.Series([":".join(row) for row in cells])


def read_table(path: Path) -> pd.DataFrame:
    r"""Reads a file of rows and guesses nothing: every cell of a .tsv or .csv stays a string.

    In a .tsv, cells are what stands between tabs: nothing is quoted, `"` is an ordinary character,
    and a cell may be empty. A .csv has the usual quotes. Both start with a line of column names.
    A .jsonl has one JSON object per line, whose keys are the columns.

    Args:
        path: The file; its extension tells the format.

    Returns:
        The rows, at least one.

    Raises:
        InputError: If the file is missing, has no rows or is not UTF-8, or if a row does not parse
            or does not fit the columns. Rows count from 1, after the line of column names.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "train.tsv")
        ...     _ = path.write_text('text\tlabel\nthe "best"\t1\n')
        ...     read_table(path).to_dict("records")
        [{'text': 'the "best"', 'label': '1'}]
    """
    if path.suffix not in READERS:
        raise InputError(f"{path}: expected a file that ends in {' or '.join(READERS)}.")
    if not path.is_file():
        raise InputError(f"No file {path}; {nearby(path)}")
    frame = READERS[path.suffix](path)
    if frame.empty:
        raise InputError(f"{path}: expected at least one row, the file has none.")
    return frame


def nearby(path: Path) -> str:
    """Says what there is where a missing file or folder was looked for.

    Args:
        path: A path that does not exist.

    Returns:
        The deepest folder above it that exists, and the names in it that look most like it.

    Example:
        >>> nearby(Path("/no-such-folder/data")).startswith("in /, ")
        True
    """
    missing = path.absolute()
    while not missing.parent.is_dir():
        missing = missing.parent
    names = sorted(entry.name for entry in missing.parent.iterdir())
    return f"in {missing.parent}, {near_names(missing.name, names, count=5)}"


def _read_tsv(path: Path) -> pd.DataFrame:
    return _to_frame(path, (line.removesuffix("\r").split("\t") for line in read_lines(path)))


def _read_csv(path: Path) -> pd.DataFrame:
    records = csv.reader(io.StringIO(_decode(path), newline=""), strict=True)
    try:
        return _to_frame(path, records)
    except csv.Error as error:
        raise InputError(f"{path} line {records.line_num}: not valid CSV: {error}.") from error


def _read_jsonl(path: Path) -> pd.DataFrame:
    records = [_parse_json(path, row, line) for row, line in enumerate(read_lines(path), 1)]
    return pd.DataFrame(records, dtype=object)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ArrowException as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a Parquet file that can be read: {reason}") from error


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a file.

    Args:
        path: A file in UTF-8.

    Returns:
        What stands between its newlines; a carriage return before one is kept.

    Raises:
        InputError: If the file is not UTF-8.
    """
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
                f" first line, got {len(cells)}."
            )
    return pd.DataFrame(rows, columns=pd.Index(header), dtype=str)


def _parse_json(path: Path, row: int, line: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} row {row}: not valid JSON: {error}.") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} row {row}: expected a JSON object, got {line[:40]}.")
    return record


READERS = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
