"""The density model of a matrix: a base density, and offsets of its rows and columns."""

from typing import NamedTuple

import numpy as np

from maskjax.taskfile.codec.order import RowOrder, zigzag_decode
from maskjax.taskfile.codec.tables import DENSITIES

_NO_OFFSETS = np.empty(0, np.uint8)


class DensityModel(NamedTuple):
    """The density classes of a matrix."""

    base: int  # the class of a byte whose row and column have no offset
    stride: int = 0  # classes per unit of an offset; 0 where there are no offsets
    # Offsets of the rows as zigzag codes (0, −1, 1, −2, 2, ... are 0, 1, 2, 3, 4, ...), uint8
    # of shape `[rows]`; of shape `[0]` if the stride is 0.
    rows: np.ndarray = _NO_OFFSETS
    columns: np.ndarray = _NO_OFFSETS  # offsets of the columns, likewise


def row_order(model: DensityModel) -> RowOrder | None:
    """The order in which rows are grouped by eights.

    Example:
        >>> order = row_order(DensityModel(50, 1, np.array([2, 0, 1, 0], np.uint8)))
        >>> order.rows(0, 4).tolist()
        [2, 1, 3, 0]
    """
    return RowOrder(model.rows) if model.rows.any() else None


def byte_classes(
    model: DensityModel, order: RowOrder | None, groups: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """The classes of a range of bytes of a matrix.

    Example:
        >>> byte_classes(DensityModel(50), None, (0, 1), (0, 8)).tolist()
        [[50, 50, 50, 50, 50, 50, 50, 50]]
    """
    shape = groups[1] - groups[0], columns[1] - columns[0]
    if not model.stride:
        return np.full(shape, model.base, np.uint8)
    positions = np.arange(*groups) * 8 + 4  # a middle row of each group
    rows = np.zeros(shape[0], np.int32) if order is None else order.offsets(positions)
    total = rows[:, None] + zigzag_decode(model.columns[slice(*columns)])[None, :]
    total *= model.stride
    total += model.base
    return np.clip(total, 0, DENSITIES - 1, out=total).astype(np.uint8)
