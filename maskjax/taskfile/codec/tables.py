"""How likely each byte is, class by class, in exact integers: the tables of the entropy coder.

A class is one byte, so nothing of a table is ever stored. Classes 0 to 126 describe bytes of
eight events (bits) that are 1 with probability P; classes 128 to 254 describe small numbers z of
a geometric distribution with ratio P. P runs over a grid of odds (5/4)^(q − 63), where q is the
class without its top bit. Frequencies are integers of which a class has 2²⁴ in all.
"""

import functools

import numpy as np

PRECISION = 24
TOTAL = 1 << PRECISION
DENSITIES = 127
"""Classes of either sort: odds from (4/5)^63 (8 in ten million) to (5/4)^63."""
GEOMETRIC = 128
"""The first class of the geometric sort."""
CELL_BITS = 12

SYMBOLS = np.array(sorted(range(256), key=lambda byte: (byte.bit_count(), byte)), np.uint8)
"""All bytes in the order of their intervals: by number of ones, then by value."""


def density(q: int) -> int:
    """P of a class, in units of 2⁻²⁴.

    Example:
        >>> density(63) / TOTAL, density(0), density(50) / TOTAL  # doctest: +ELLIPSIS
        (0.5, 13, 0.0521...)
    """
    ones, zeros = 5**q * 4**63, 4**q * 5**63
    return TOTAL * ones // (ones + zeros)


@functools.cache
def frequencies() -> np.ndarray:
    """Frequency of every byte in every class; a class adds up to 2²⁴ and no byte has none.

    Example:
        >>> frequencies()[63, 7], int(frequencies()[50].sum()) == TOTAL
        (np.int64(65536), True)
    """
    table = np.full((256, 256), TOTAL // 256, np.int64)
    ones = np.bitwise_count(np.arange(256, dtype=np.uint8))
    chances = [density(q) for q in range(DENSITIES)]
    for q, chance in enumerate(chances):
        powers = [chance**k * (TOTAL - chance) ** (8 - k) // TOTAL**7 for k in range(9)]
        table[q] = np.array(powers)[ones]
    ratio = np.array(chances)
    weight = TOTAL - ratio
    for z in range(256):
        table[GEOMETRIC : GEOMETRIC + DENSITIES, z] = weight
        weight = weight * ratio >> PRECISION
    table = np.maximum(table, 1)
    # What rounding took or gave goes to the byte that is the likeliest, the lowest of several.
    table[np.arange(256), table.argmax(axis=1)] += TOTAL - table.sum(axis=1)
    return table


@functools.cache
def bits_per_byte() -> np.ndarray:
    """What each byte costs in each class, for the encoder's choices only."""
    return (PRECISION - np.log2(frequencies())).astype(np.float32)


@functools.cache
def intervals() -> tuple[np.ndarray, np.ndarray]:
    """The start of the interval of each byte within [0, 2²⁴)."""
    ordered = frequencies()[:, SYMBOLS]
    starts = np.cumsum(ordered, axis=1) - ordered
    entries = np.empty((256, 256), np.uint64)
    entries[:, SYMBOLS] = starts << 32 | ordered << 8 | SYMBOLS.astype(np.int64)
    keys = (np.arange(256)[:, None] << PRECISION) + starts
    return entries, keys.ravel()


def find(keys: np.ndarray) -> np.ndarray:
    """The entries of the intervals in which slots lie, by binary search."""
    entries, ordered = intervals()
    place = np.searchsorted(ordered, keys, side="right") - 1
    return entries[place >> 8, SYMBOLS[place & 255]]


def cells(classes: np.ndarray) -> np.ndarray:
    """Shortcuts for decoding: the entry of each cell of 2¹² slots, 0 where a border crosses it."""
    for class_ in classes.tolist():
        _fill_cells(class_)
    return _cells()


@functools.cache
def _cells() -> np.ndarray:
    return np.zeros((256, TOTAL >> CELL_BITS), np.uint64)


@functools.cache
def _fill_cells(class_: int) -> None:
    first = (class_ << PRECISION) + (np.arange(TOTAL >> CELL_BITS) << CELL_BITS)
    low, high = find(first), find(first + (1 << CELL_BITS) - 1)
    _cells()[class_] = np.where(low == high, low, np.uint64(0))
