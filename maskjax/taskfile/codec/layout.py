"""Packed masks as tables of bytes, in which a byte is eight rows of one column.

Bytes then differ in density as rows and columns do: each belongs to one column, and similar rows
are grouped first. All steps work on packed bits.
"""

import math

import numpy as np

_SWAPS = ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))
"""Shifts and masks of the bits that are swapped in an 8 × 8 transposition."""


def table_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """The rows and columns of the table of bits that encodes a mask.

    Example:
        >>> table_shape((384, 1536)), table_shape((384, 2)), table_shape((100,))
        ((384, 1536), (96, 8), (16, 8))
    """
    size = math.prod(shape)
    columns = shape[-1] if len(shape) > 1 else 0
    if columns and columns % 8 == 0 and size // columns % 8 == 0:
        return size // columns, columns
    return -(-size // 64) * 8, 8


def to_table(bits: np.ndarray, shape: tuple[int, int], order: np.ndarray | None) -> np.ndarray:
    """Converts packed rows to bytes of eight rows.

    Example:
        >>> to_table(np.array([1, 1, 0, 0, 0, 0, 0, 2], np.uint8), (8, 8), None).tolist()
        [[3, 128, 0, 0, 0, 0, 0, 0]]
    """
    rows, columns = shape
    if len(bits) < rows * columns // 8:
        bits = np.concatenate([bits, np.zeros(rows * columns // 8 - len(bits), np.uint8)])
    packed = bits.reshape(rows, columns // 8)
    packed = packed if order is None else packed[order]
    blocks = packed.reshape(rows // 8, 8, columns // 8).transpose(0, 2, 1)
    return _transposed(np.ascontiguousarray(blocks)).reshape(rows // 8, columns)


def from_table(table: np.ndarray) -> np.ndarray:
    """The inverse of `to_table`, of the whole table or a part of its groups and columns.

    Example:
        >>> from_table(np.array([[3, 128, 0, 0, 0, 0, 0, 0]], np.uint8)).ravel().tolist()
        [1, 1, 0, 0, 0, 0, 0, 2]
    """
    groups, columns = table.shape
    blocks = _transposed(table.reshape(groups, columns // 8, 8)).transpose(0, 2, 1)
    return np.ascontiguousarray(blocks).reshape(groups * 8, columns // 8)


def _transposed(blocks: np.ndarray) -> np.ndarray:
    """Transposes 8 × 8 bits: byte i, bit k of each block becomes byte k, bit i."""
    words = blocks.view("<u8").copy()
    for distance, mask in _SWAPS:
        shift = words.dtype.type(distance)
        changed = (words ^ words >> shift) & words.dtype.type(mask)
        words ^= changed
        words ^= changed << shift
    return words.view(np.uint8)
