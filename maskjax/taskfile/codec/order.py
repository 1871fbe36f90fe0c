"""Rows sorted by their offsets, a range at a time: all sorted rows may not fit into memory."""

import numpy as np

_BLOCK = 1 << 20
"""Rows that are searched at a time."""


def zigzag_decode(codes: np.ndarray) -> np.ndarray:
    """Decodes offsets from their zigzag codes.

    Example:
        >>> zigzag_decode(np.arange(5, dtype=np.uint8)).tolist()
        [0, -1, 1, -2, 2]
    """
    half = (codes.astype(np.int32) + 1) >> 1
    return np.where(codes & 1, -half, half)


_SIGNED = zigzag_decode(np.arange(256, dtype=np.uint8))
_SORTED = np.argsort(_SIGNED, kind="stable")
"""The zigzag codes in the order of their offsets."""


class RowOrder:
    """A stable order of rows by offset, which takes a byte per row.

    Example:
        >>> order = RowOrder(np.array([2, 0, 1, 0], np.uint8))
        >>> order.rows(0, 3).tolist(), order.offsets(np.array([0, 3])).tolist()
        ([2, 1, 3], [-1, 1])
    """

    def __init__(self, offsets: np.ndarray) -> None:
        blocks = [offsets[i : i + _BLOCK] for i in range(0, max(len(offsets), 1), _BLOCK)]
        self._blocks = blocks
        # The number of rows with each code in each block and all blocks before it: [block, code].
        self._counts = np.cumsum([np.bincount(b, minlength=256) for b in blocks], axis=0)
        self._values = _SORTED[self._counts[-1][_SORTED] > 0]
        self._ends = np.cumsum(self._counts[-1][self._values])

    def offsets(self, positions: np.ndarray) -> np.ndarray:
        """The offsets of the rows at positions of the order."""
        return _SIGNED[self._values[np.searchsorted(self._ends, positions, side="right")]]

    def rows(self, first: int, last: int) -> np.ndarray:
        """The rows at the positions from `first` to `last`, which is not included."""
        blocks = [np.empty(0, np.int64)]
        start = 0
        for value, end in zip(self._values.tolist(), self._ends.tolist(), strict=True):
            if start < last and end > first:
                blocks += self._ranked(value, max(first - start, 0), min(last, end) - start)
            start = end
        return np.concatenate(blocks)

    def _ranked(self, value: int, low: int, high: int) -> list[np.ndarray]:
        """The rows with one code, from the `low`th to before the `high`th."""
        ends = self._counts[:, value]
        blocks = []
        for block in range(int(np.searchsorted(ends, low, side="right")), len(ends)):
            preceding = int(ends[block - 1]) if block else 0
            if preceding >= high:
                break
            rows = np.flatnonzero(self._blocks[block] == value)
            blocks.append(rows[max(low - preceding, 0) : high - preceding] + block * _BLOCK)
        return blocks
