"""What a file says of one matrix: its density, and by how much rows and columns differ from it."""

from typing import NamedTuple

import numpy as np

from maskjax.taskfile.coding.tables import DENSITIES

_NO_OFFSETS = np.empty(0, np.uint8)


class Model(NamedTuple):
    """The density classes of a matrix.

    Attributes:
        base: The class of a byte whose row and column are ordinary.
        stride: Classes per unit of an offset; 0 where there are no offsets.
        rows: Offsets of the rows, as small numbers (0, −1, 1, −2, 2, ... are 0, 1, 2, 3, 4, ...),
            uint8 of shape `[rows]`; of shape `[0]` where the stride is 0.
        columns: Offsets of the columns, likewise.
    """

    base: int
    stride: int = 0
    rows: np.ndarray = _NO_OFFSETS
    columns: np.ndarray = _NO_OFFSETS


def signed(small: np.ndarray) -> np.ndarray:
    """Offsets from the small numbers that stand for them.

    Args:
        small: uint8.

    Returns:
        int32 of the same shape.

    Example:
        >>> signed(np.arange(5, dtype=np.uint8)).tolist()
        [0, -1, 1, -2, 2]
    """
    half = (small.astype(np.int32) + 1) >> 1
    return np.where(small & 1, -half, half)


def row_order(model: Model) -> np.ndarray | None:
    """The order in which rows are brought together by eights.

    Args:
        model: The model.

    Returns:
        Row numbers by offset, equals as they come; None where all offsets are equal.

    Example:
        >>> row_order(Model(50, 1, np.array([2, 0, 1, 0], np.uint8))).tolist()
        [2, 1, 3, 0]
    """
    if not model.rows.any():
        return None
    return np.argsort(signed(model.rows), kind="stable")


def byte_classes(model: Model, shape: tuple[int, int]) -> np.ndarray:
    """The class of every byte of a matrix.

    Args:
        model: The model.
        shape: Rows and columns of its table of bits.

    Returns:
        uint8 of shape `[rows / 8, columns]`: the base and `stride` times the offset of the
        column and of the fifth of the eight rows, held within [0, 126].

    Example:
        >>> byte_classes(Model(50), (8, 8)).tolist()
        [[50, 50, 50, 50, 50, 50, 50, 50]]
    """
    rows, columns = shape
    if not model.stride:
        return np.full((rows // 8, columns), model.base, np.uint8)
    offsets = np.sort(signed(model.rows))[4::8]
    total = model.base + model.stride * (offsets[:, None] + signed(model.columns)[None, :])
    return np.clip(total, 0, DENSITIES - 1).astype(np.uint8)
