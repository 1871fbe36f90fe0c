"""Rows sorted by their offsets, a stretch at a time: a table may have more rows than fit sorted."""

import numpy as np

_BLOCK = 1 << 20
"""Rows that are searched at a time."""


def signed(small: np.ndarray) -> np.ndarray:
    """Offsets from the small numbers that stand for them.

    Example:
        >>> signed(np.arange(5, dtype=np.uint8)).tolist()
        [0, -1, 1, -2, 2]
    """
    half = (small.astype(np.int32) + 1) >> 1
    return np.where(small & 1, -half, half)


_SIGNED = signed(np.arange(256, dtype=np.uint8))
_SORTED = np.argsort(_SIGNED, kind="stable")
"""The small numbers in the order of their offsets."""


class RowOrder:
    """A stable order of rows by offset, which keeps a byte per row and little else.

    Example:
        >>> order = RowOrder(np.array([2, 0, 1, 0], np.uint8))
        >>> order.rows(0, 3).tolist(), order.offsets(np.array([0, 3])).tolist()
        ([2, 1, 3], [-1, 1])
    """

    def __init__(self, offsets: np.ndarray) -> None:
        blocks = [offsets[at : at + _BLOCK] for at in range(0, max(len(offsets), 1), _BLOCK)]
        self._blocks = blocks
        # Rows of each small number within each block and all blocks before: [block, number].
        self._counts = np.cumsum([np.bincount(b, minlength=256) for b in blocks], axis=0)
        self._values = _SORTED[self._counts[-1][_SORTED] > 0]
        self._ends = np.cumsum(self._counts[-1][self._values])

    def offsets(self, places: np.ndarray) -> np.ndarray:
        """The offsets of the rows in some places of the order."""
        return _SIGNED[self._values[np.searchsorted(self._ends, places, side="right")]]

    def rows(self, first: int, last: int) -> np.ndarray:
        """The rows in the places from `first` to `last`, which is not included."""
        pieces = [np.empty(0, np.int64)]
        start = 0
        for value, end in zip(self._values.tolist(), self._ends.tolist(), strict=True):
            if start < last and end > first:
                pieces += self._ranked(value, max(first - start, 0), min(last, end) - start)
            start = end
        return np.concatenate(pieces)

    def _ranked(self, value: int, low: int, high: int) -> list[np.ndarray]:
        """The rows with one small number, from the `low`th to before the `high`th."""
        ends = self._counts[:, value]
        pieces = []
        for block in range(int(np.searchsorted(ends, low, side="right")), len(ends)):
            before = int(ends[block - 1]) if block else 0
            if before >= high:
                break
            found = np.flatnonzero(self._blocks[block] == value)
            pieces.append(found[max(low - before, 0) : high - before] + block * _BLOCK)
        return pieces
