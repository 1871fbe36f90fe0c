"""Rows of integers of different lengths, stored in one flat array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of integers, concatenated.

    One array of all tokens of a data set is read from a file in milliseconds and indexed without a
    loop; a list of small arrays is slower in both, and larger.

    Attributes:
        values: The numbers of all rows; [numbers] int32.
        lengths: The length of each row; [rows] int64.

    Raises:
        ValueError: If the lengths do not add up to the number of values.

    Example:
        >>> rows = Ragged.from_rows([[1, 2, 3], [], [4]])
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
    def from_rows(cls, rows: Sequence[Sequence[int] | np.ndarray]) -> Self:
        """Concatenates rows."""
        lengths = np.array([len(row) for row in rows], np.int64)
        arrays = [np.asarray(row, np.int32) for row in rows]
        return cls(np.concatenate([np.zeros(0, np.int32), *arrays]), lengths)

    @cached_property
    def offsets(self) -> np.ndarray:
        """The index of each row's first value; [rows] int64."""
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] :][: self.lengths[row]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def padded(self, rows: np.ndarray, *, width: int, fill: int) -> np.ndarray:
        """Selects rows and pads them to one width.

        Args:
            rows: Row numbers; [selected].
            width: At least the length of the longest of them.
            fill: The value that pads a row.

        Returns:
            [selected, width] int32.
        """
        columns = np.arange(width)
        inside = columns < self.lengths[rows, None]
        table = np.full(inside.shape, fill, np.int32)
        table[inside] = self.values[(self.offsets[rows, None] + columns)[inside]]
        return table
