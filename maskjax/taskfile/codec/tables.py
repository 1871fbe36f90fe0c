"""The tables of the entropy coder: the frequency of each byte in each class, in exact integers.

A class is one byte, and the tables follow from it, so none is stored. Classes 0 to 126 describe
bytes of eight events (bits) that are 1 with probability P; classes 128 to 254 describe small
numbers z of a geometric distribution with ratio P. P runs over a grid of odds (5/4)^(q − 63), where
q is the class without its top bit. The frequencies of a class are integers that add up to 2²⁴.
"""

import functools

import numpy as np

PRECISION = 24
TOTAL = 1 << PRECISION
DENSITIES = 127
"""The number of classes of each distribution: odds from (4/5)^63 (8 in ten million) to (5/4)^63."""
GEOMETRIC = 128
"""The first class of the geometric distributions."""
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
    """The frequency of every byte in every class, at least 1; a class adds up to 2²⁴.

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
    # The rounding error goes to the likeliest byte, the lowest one in a tie.
    table[np.arange(256), table.argmax(axis=1)] += TOTAL - table.sum(axis=1)
    return table


@functools.cache
def bits_per_byte() -> np.ndarray:
    """The cost of each byte in each class, for the encoder's choices only."""
    return (PRECISION - np.log2(frequencies())).astype(np.float32)


@functools.cache
def intervals() -> tuple[np.ndarray, np.ndarray]:
    """The interval of each byte within [0, 2²⁴), as table entries and as sorted keys."""
    ordered = frequencies()[:, SYMBOLS]
    lows = np.cumsum(ordered, axis=1) - ordered
    entries = np.empty((256, 256), np.uint64)
    entries[:, SYMBOLS] = lows << 32 | ordered << 8 | SYMBOLS.astype(np.int64)
    keys = (np.arange(256)[:, None] << PRECISION) + lows
    return entries, keys.ravel()


def find_intervals(keys: np.ndarray) -> np.ndarray:
    """The entries of the intervals that contain slots, by binary search."""
    entries, ordered = intervals()
    index = np.searchsorted(ordered, keys, side="right") - 1
    return entries[index >> 8, SYMBOLS[index & 255]]


def lookup_table(classes: np.ndarray) -> np.ndarray:
    """A lookup table: the entry of each cell of 2¹² slots, 0 if a border crosses the cell."""
    for class_ in classes.tolist():
        _fill_lookup(class_)
    return _lookup()


@functools.cache
def _lookup() -> np.ndarray:
    return np.zeros((256, TOTAL >> CELL_BITS), np.uint64)


@functools.cache
def _fill_lookup(class_: int) -> None:
    first = (class_ << PRECISION) + (np.arange(TOTAL >> CELL_BITS) << CELL_BITS)
    low, high = find_intervals(first), find_intervals(first + (1 << CELL_BITS) - 1)
    _lookup()[class_] = np.where(low == high, low, np.uint64(0))
