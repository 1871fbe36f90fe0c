"""The encoder's choice of density classes, which makes each matrix smallest."""

from typing import NamedTuple

import numpy as np

from maskjax.taskfile.codec.density_model import DensityModel, byte_classes, row_order
from maskjax.taskfile.codec.layout import to_table
from maskjax.taskfile.codec.order import zigzag_decode
from maskjax.taskfile.codec.tables import DENSITIES, GEOMETRIC, TOTAL, bits_per_byte, density

STRIDES = (2, 4, 6, 24)
"""Coarser offsets are cheaper to write, finer ones fit better; the encoder tries all. The coarsest
is for matrices in which some rows or columns are all zeros."""
_OFFSETS = np.arange(65, dtype=np.uint8)
_ROUNDS = 3


class FittedModel(NamedTuple):
    """A matrix with the density model that codes it."""

    model: DensityModel  # the chosen model
    table: np.ndarray  # bytes of eight rows in the order of the model
    row_class: int  # the class with which the offsets of the rows are coded
    column_class: int  # the class with which the offsets of the columns are coded
    bits: float  # the cost in bits, offsets included


def all_classes(model: DensityModel, shape: tuple[int, int]) -> np.ndarray:
    """The classes of all bytes of a matrix with this table of bits, uint8 `[rows / 8, columns]`."""
    return byte_classes(model, row_order(model), (0, shape[0] // 8), (0, shape[1]))


def fit_model(bits: np.ndarray, shape: tuple[int, int], *, offsets: bool = True) -> FittedModel:
    """Chooses the model of a matrix.

    Example:
        >>> fit_model(np.full(32, 1, np.uint8), (32, 8)).model.base
        54
    """
    table = to_table(bits, shape, None)
    columns = np.bitwise_count(table).sum(axis=0, dtype=np.int64)
    rows = np.zeros(shape[0], np.int64)
    counts = np.bitwise_count(bits)
    if shape[1] * len(rows) == 8 * len(bits):
        rows = counts.reshape(shape[0], -1).sum(axis=1, dtype=np.int64)
    else:
        rows[: len(bits)] = counts
    base = int(_costs(np.array([rows.sum()]), shape[0] * shape[1]).argmin())
    model = DensityModel(base)
    best = FittedModel(model, table, 0, 0, _cost(table, all_classes(model, shape)))
    for stride in STRIDES if offsets else ():
        fitted = _with_offsets(bits, shape, rows, columns, DensityModel(base, stride))
        if fitted is not None and fitted.bits < best.bits:
            best = fitted
    return best


def _with_offsets(
    bits: np.ndarray,
    shape: tuple[int, int],
    rows: np.ndarray,
    columns: np.ndarray,
    model: DensityModel,
) -> FittedModel | None:
    """A model with offsets of one stride; None if all offsets are zero."""
    row_offsets, row_class, row_bits = _offsets(rows, shape[1], model)
    column_offsets, column_class, column_bits = _offsets(columns, shape[0], model)
    if not row_offsets.any() and not column_offsets.any():
        return None
    model = DensityModel(model.base, model.stride, row_offsets, column_offsets)
    order = row_order(model)
    table = to_table(bits, shape, None if order is None else order.rows(0, shape[0]))
    cost = _cost(table, all_classes(model, shape)) + row_bits + column_bits
    return FittedModel(model, table, row_class, column_class, cost)


def _offsets(counts: np.ndarray, size: int, model: DensityModel) -> tuple[np.ndarray, int, float]:
    """Offsets of lines of `size` bits with these counts of ones, their class, their cost.

    An offset is worth writing where it saves more than it costs. Its cost depends on how many
    others are written, so offsets and costs are computed in turns.
    """
    values, inverse, repeats = np.unique(counts, return_inverse=True, return_counts=True)
    classes = model.base + model.stride * zigzag_decode(_OFFSETS).astype(np.int64)
    data = _costs(values, size)[:, np.clip(classes, 0, DENSITIES - 1)]
    prices = bits_per_byte()[GEOMETRIC : GEOMETRIC + DENSITIES, : len(_OFFSETS)].astype(np.float64)
    chosen, best = data.argmin(axis=1), DENSITIES // 2
    for _ in range(_ROUNDS):
        chosen = (data + prices[best][None, :]).argmin(axis=1)
        side_costs = prices @ np.bincount(chosen, weights=repeats, minlength=len(_OFFSETS))
        best = int(side_costs.argmin())
    offsets = _OFFSETS[chosen][inverse]
    return offsets, GEOMETRIC + best, float(prices[best][offsets].sum())


def _costs(ones: np.ndarray, size: int) -> np.ndarray:
    """Bits of lines with these counts of ones in every density class, `[lines, classes]`."""
    chances = np.array([density(q) for q in range(DENSITIES)]) / TOTAL
    one_cost, zero_cost = -np.log2(chances), -np.log2(1 - chances)
    return ones[:, None] * one_cost[None, :] + (size - ones)[:, None] * zero_cost[None, :]


def _cost(table: np.ndarray, classes: np.ndarray) -> float:
    index = classes.ravel().astype(np.int64) << 8 | table.ravel()
    return float(bits_per_byte().ravel().take(index).sum(dtype=np.float64))
