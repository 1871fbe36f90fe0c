"""Rows of different lengths in one flat array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of integers, one after the other.

    One array of all tokens of a data set is read from a file in milliseconds, and rows are taken
    out of it without a loop; a list of small arrays is slow in both, and larger.

    Attributes:
        values: The numbers of all rows; [numbers] int32.
        lengths: How many of them each row has; [rows] int64.

    Raises:
        ValueError: If the lengths are not those of the values.

    Example:
        >>> rows = Ragged.of([[1, 2, 3], [], [4]])
        >>> len(rows), rows[0].tolist()
        (3, [1, 2, 3])
        >>> rows.padded(np.array([2, 0]), width=4, fill=-1).tolist()
        [[4, -1, -1, -1], [1, 2, 3, -1]]
    """

    values: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        if (self.lengths < 0).any() or self.lengths.sum() != len(self.values):
            raise ValueError(f"The lengths do not add up to {len(self.values)} values.")

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | np.ndarray]) -> Self:
        """Puts rows together."""
        lengths = np.array([len(row) for row in rows], np.int64)
        parts = [np.asarray(row, np.int32) for row in rows]
        return cls(np.concatenate([np.zeros(0, np.int32), *parts]), lengths)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each row begins among the values; [rows] int64."""
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.starts[row] :][: self.lengths[row]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def padded(self, rows: np.ndarray, *, width: int, fill: int) -> np.ndarray:
        """Takes rows out, as a table.

        Args:
            rows: Row numbers; [taken].
            width: At least the length of the longest of them.
            fill: What stands behind the end of a row.

        Returns:
            [taken, width] int32.
        """
        place = np.arange(width)
        inside = place < self.lengths[rows, None]
        table = np.full(inside.shape, fill, np.int32)
        table[inside] = self.values[(self.starts[rows, None] + place)[inside]]
        return table
