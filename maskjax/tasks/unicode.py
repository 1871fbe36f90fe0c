"""Text that is not valid Unicode: halves of surrogate pairs, and bytes that are not UTF-8.

JSON and the command line can hold half of a surrogate pair, and Arrow can hold any bytes.
Tokenizers accept neither.
"""

import re
from typing import TYPE_CHECKING

import pandas as pd

from maskjax.errors import InputError

if TYPE_CHECKING:  # slow to import
    import pyarrow as pa

SURROGATE = re.compile("[\ud800-\udfff]")
NOT_UNICODE = "expected Unicode, got half of a surrogate pair"


def has_surrogates(text: str) -> bool:
    r"""Finds halves of surrogate pairs, which no encoding can represent.

    Example:
        >>> has_surrogates("\ud83d"), has_surrogates("\U0001f600")
        (True, False)
    """
    return not text.isascii() and SURROGATE.search(text) is not None


def arrow_frame(source: str, table: "pa.Table") -> pd.DataFrame:
    """Converts a table to pandas after a check that all of its text is UTF-8."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not _is_valid(column):
            raise InputError(
                f"{source} row {_first_invalid(column) + 1}: expected Unicode in column {name!r},"
                " got bytes that are not UTF-8."
            )
    return table.to_pandas()


def _first_invalid(column: "pa.ChunkedArray") -> int:
    """The first invalid row of a column that has one, by bisection."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if _is_valid(column.take(list(range(low, middle)))):
            low = middle
        else:
            high = middle
    return low


def _is_valid(column: "pa.ChunkedArray") -> bool:
    from pyarrow import ArrowInvalid

    try:
        column.validate(full=True)
    except ArrowInvalid:
        return False
    return True
