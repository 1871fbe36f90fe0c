"""Files of words: one token a line, a blank line between sentences, a column for each label.

A token is taken literally: nothing is stripped but what separates columns.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from maskjax.errors import InputError
from maskjax.tasks.tables import Table, nearby, read_lines, read_table

# https://universaldependencies.org/format.html
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


class Line(NamedTuple):
    """One line of a file.

    Attributes:
        number: Counted from 1.
        cells: What stands in its columns; none means that a sentence ends here.
    """

    number: int
    cells: list[str]


def read_token_file(path: Path) -> Table:
    r"""Reads a file of sentences, one row for each, whose cells are tuples of strings.

    A .tsv has a line of column names, then one token a line. A .conll or .txt has none: columns
    stand between blanks or tabs; the first is called `token`, the last `tag`, and those between
    by their position, counted from 1; lines that begin with `-DOCSTART-` are skipped. A .conllu
    has the ten columns of CoNLL-U, called `id`, `form`, `lemma`, `upos`, `xpos` and so on;
    multiword ranges and empty nodes are no words of the syntax: they are skipped and counted.
    A .jsonl or .parquet holds lists.

    Args:
        path: The file; its extension tells the format.

    Returns:
        The sentences, at least one; its notes count what was skipped.

    Raises:
        InputError: If the file is missing, has no tokens, or has a line with another number of
            columns.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "train.conll")
        ...     _ = path.write_text("Ann B-PER\nsleeps O\n\nYes O\n")
        ...     read_token_file(path).frame.to_dict("records")
        [{'token': ('Ann', 'sleeps'), 'tag': ('B-PER', 'O')}, {'token': ('Yes',), 'tag': ('O',)}]
    """
    if path.suffix in (".jsonl", ".parquet"):
        return Table(str(path), read_table(path))
    if path.suffix not in TOKEN_READERS:
        expected = " or ".join((*TOKEN_READERS, ".jsonl", ".parquet"))
        raise InputError(f"{path}: expected a file of words that ends in {expected}.")
    if not path.is_file():
        raise InputError(f"No file {path}; {nearby(path)}")
    return TOKEN_READERS[path.suffix](path)


def _read_tsv(path: Path) -> Table:
    header, *rest = [line.removesuffix("\r") for line in read_lines(path)] or [""]
    lines = (
        Line(number, line.split("\t") if line else []) for number, line in enumerate(rest, start=2)
    )
    return Table(str(path), _sentences(path, lines, header.split("\t")))


def _read_conll(path: Path) -> Table:
    lines = [
        Line(number, re.split("[ \t]+", text) if (text := line.strip(" \t\r")) else [])
        for number, line in enumerate(read_lines(path), start=1)
    ]
    lines = [Line(n, []) if cells[:1] == ["-DOCSTART-"] else Line(n, cells) for n, cells in lines]
    width = next((len(line.cells) for line in lines if line.cells), 1)
    between = [str(position) for position in range(2, width)]
    header = ["token", *between, "tag"] if width > 1 else ["token"]
    return Table(str(path), _sentences(path, lines, header))


def _read_conllu(path: Path) -> Table:
    lines, ranges, empty = [], 0, 0
    for number, text in enumerate(read_lines(path), start=1):
        line = text.removesuffix("\r")
        cells = line.split("\t") if line else []
        if line.startswith("#"):
            continue
        if cells and re.fullmatch(r"\d+-\d+", cells[0]):
            ranges += 1
        elif cells and re.fullmatch(r"\d+\.\d+", cells[0]):
            empty += 1
        elif cells and not cells[0].isdecimal():
            raise InputError(
                f"{path} line {number}: expected the number of a word, such as 1, 1-2 or 1.1, in"
                f" the first column, got {cells[0]!r}."
            )
        else:
            lines.append(Line(number, cells))
    skipped = f"{path}: skipped {ranges} multiword ranges and {empty} empty nodes"
    notes = (skipped,) if ranges or empty else ()
    return Table(str(path), _sentences(path, lines, CONLLU), notes=notes)


def _sentences(path: Path, lines: Iterable[Line], columns: Sequence[str]) -> pd.DataFrame:
    sentences: list[list[list[str]]] = [[]]
    for number, cells in lines:
        if not cells:
            sentences.append([])
        elif len(cells) == len(columns):
            sentences[-1].append(cells)
        else:
            raise InputError(
                f"{path} line {number}: expected {len(columns)} columns"
                f" ({', '.join(columns)}), got {len(cells)}."
            )
    rows = [tuple(zip(*sentence, strict=True)) for sentence in sentences if sentence]
    if not rows:
        raise InputError(f"{path}: expected at least one token, the file has none.")
    if len(set(columns)) < len(columns):
        raise InputError(f"{path}: expected different column names, got {', '.join(columns)}.")
    cells_of = zip(columns, zip(*rows, strict=True), strict=True)
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in cells_of})


TOKEN_READERS: dict[str, Callable[[Path], Table]] = {
    ".tsv": _read_tsv,
    ".conll": _read_conll,
    ".txt": _read_conll,
    ".conllu": _read_conllu,
}
