"""Files of words: one token per line, a blank line between sentences, a column for each label.

Tokens are read literally: only the separators of columns are stripped.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from maskjax.errors import InputError
from maskjax.tasks.readers import Table, is_blank, read_lines, read_table, suggest_paths

# https://universaldependencies.org/format.html
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


class Line(NamedTuple):
    """One line of a file."""

    number: int  # the line number, from 1
    cells: list[str]  # the cells of its columns; an empty list is the end of a sentence


def read_token_file(path: str | Path) -> Table:
    r"""Reads a file of sentences, one row for each, whose cells are tuples of strings.

    A .tsv has a line of column names, then one token per line. A .conll or .txt has none: columns
    are separated by blanks or tabs; the first is called `token`, the last `tag`, and those between
    by their position, from 1; lines that begin with `-DOCSTART-` are skipped. In all three, comment
    lines such as `# id 7` are skipped and counted. A line that begins with `#` is a token if it has
    the number of columns of a token and a tag that another token has.

    A .conllu has the ten columns of CoNLL-U, called `id`, `form`, `lemma`, `upos`, `xpos` and so
    on; multiword ranges and empty nodes are not syntactic words: they are skipped and counted.
    A .jsonl or .parquet holds lists.

    Args:
        path: The file; its extension gives the format.

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
    path = Path(path)
    if path.suffix in (".jsonl", ".parquet"):
        return Table(str(path), read_table(path))
    if path.suffix not in TOKEN_READERS:
        expected = " or ".join((*TOKEN_READERS, ".jsonl", ".parquet"))
        raise InputError(f"{path}: expected a file of words that ends in {expected}.")
    if not path.is_file():
        raise InputError(f"No file {path}; {suggest_paths(path)}")
    return TOKEN_READERS[path.suffix](path)


def _read_tsv(path: Path) -> Table:
    numbered = enumerate((line.removesuffix("\r") for line in read_lines(path)), start=1)
    lines = [Line(n, [] if is_blank(text) else text.split("\t")) for n, text in numbered]
    named = (line for line in lines if line.cells and not line.cells[0].startswith("# "))
    header = next(named, Line(0, [""]))
    lines = [line for line in lines if line != header]
    tokens, notes = _drop_comments(path, lines, len(header.cells))
    return Table(str(path), _sentences(path, tokens, header.cells), notes=notes)


def _read_conll(path: Path) -> Table:
    numbered = enumerate((line.strip(" \t\r") for line in read_lines(path)), start=1)
    lines = [Line(n, re.split("[ \t]+", text) if text else []) for n, text in numbered]
    lines = [Line(n, []) if cells[:1] == ["-DOCSTART-"] else Line(n, cells) for n, cells in lines]
    widths = [len(cells) for _, cells in lines if cells and not cells[0].startswith("#")]
    width = widths[0] if widths else max((len(line.cells) for line in lines), default=1)
    between = [str(position) for position in range(2, width)]
    header = ["token", *between, "tag"] if width > 1 else ["token"]
    tokens, notes = _drop_comments(path, lines, len(header))
    return Table(str(path), _sentences(path, tokens, header), notes=notes)


def _read_conllu(path: Path) -> Table:
    lines, num_ranges, num_empty_nodes = [], 0, 0
    for number, text in enumerate(read_lines(path), start=1):
        line = text.removesuffix("\r")
        cells = [] if is_blank(line) else line.split("\t")
        if line.startswith("#"):
            continue
        if cells and re.fullmatch(r"\d+-\d+", cells[0]):
            num_ranges += 1
        elif cells and re.fullmatch(r"\d+\.\d+", cells[0]):
            num_empty_nodes += 1
        elif cells and not cells[0].isdecimal():
            raise InputError(
                f"{path} line {number}: expected the number of a word, such as 1, 1-2 or 1.1, in"
                f" the first column, got {cells[0]!r}."
            )
        else:
            lines.append(Line(number, cells))
    skipped = f"{path}: skipped {num_ranges} multiword ranges and {num_empty_nodes} empty nodes"
    notes = (skipped,) if num_ranges or num_empty_nodes else ()
    return Table(str(path), _sentences(path, lines, CONLLU), notes=notes)


def _drop_comments(
    path: Path, lines: Sequence[Line], width: int
) -> tuple[list[Line], tuple[str, ...]]:
    """Drops comment lines and counts them in a note."""
    tags = {cells[-1] for _, cells in lines if len(cells) == width and cells[0][:1] != "#"}
    tokens = [line for line in lines if not _is_comment(line, width, tags)]
    count = len(lines) - len(tokens)
    return tokens, (f"{path}: skipped {count:,} comment lines",) if count else ()


def _is_comment(line: Line, width: int, tags: set[str]) -> bool:
    """Whether a line is a comment, and not the token `#` or a hashtag with a token's columns.

    In the Penn Treebank the token `#` has the tag `#`, which no other token may have.
    """
    if not line.cells or not line.cells[0].startswith("#"):
        return False
    if len(line.cells) != width:
        return True
    opens_comment = line.cells[0] == "#" or line.cells[0].startswith("# ")
    return opens_comment and line.cells[-1] not in tags | {"#"}


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
