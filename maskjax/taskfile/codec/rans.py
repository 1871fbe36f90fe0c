"""Interleaved range coding (rANS) in NumPy, vectorized over the lanes.

Symbol i belongs to lane i mod N. A lane is one 64-bit state in [2³¹, 2⁶³), which moves 32-bit words
to and from a stream that all lanes share.

References:
    Duda, Asymmetric numeral systems, 2013, https://arxiv.org/abs/1311.2540; Giesen, Interleaved
    entropy coders, 2014, https://arxiv.org/abs/1402.3392.
"""

from collections.abc import Callable

import numpy as np

from maskjax.taskfile.codec.tables import (
    CELL_BITS,
    PRECISION,
    TOTAL,
    find_intervals,
    intervals,
    lookup_table,
)

LOWEST = 1 << 31
"""The smallest state, and the state of every lane before its first symbol is encoded."""

_LOWEST = np.uint64(LOWEST)
_WORD = np.uint64(32)
_PRECISION = np.uint64(PRECISION)
_SLOT = np.uint64(TOTAL - 1)
_BYTE = np.uint64(8)
_CELL = np.uint64(CELL_BITS)
_ROOM = np.uint64(31 - PRECISION + 32)


class RansEncoder:
    """Encodes sequences of bytes, last sequence first.

    Example:
        >>> encoder = RansEncoder(lanes=1)
        >>> encoder.push(np.array([0, 0, 4], np.uint8), np.array([40, 40, 40], np.uint8))
        >>> states, words = encoder.finish()
        >>> decoder = RansDecoder(states, lambda count: words[:0])  # a few symbols need no words
        >>> decoder.pop(np.array([40, 40, 40], np.uint8)).tolist(), decoder.is_done()
        ([0, 0, 4], True)
    """

    def __init__(self, lanes: int) -> None:
        self._states = np.full(lanes, _LOWEST)
        self._words: list[np.ndarray] = []

    def push(self, symbols: np.ndarray, classes: np.ndarray) -> None:
        """Encodes a sequence, which is decoded before all sequences that were pushed earlier."""
        lanes = len(self._states)
        entries = intervals()[0].ravel()
        for first in reversed(range(0, len(symbols), max(lanes, 1))):
            chunk = slice(first, first + lanes)
            index = classes[chunk].astype(np.int64) << 8 | symbols[chunk]
            self._step(entries.take(index))

    def _step(self, entry: np.ndarray) -> None:
        states = self._states[: len(entry)]
        frequency = entry >> _BYTE & _SLOT
        overflowing = (states >= frequency << _ROOM).nonzero()[0]
        self._words.append(states[overflowing].astype(np.uint32))
        states[overflowing] >>= _WORD
        quotient = states // frequency
        # x' = quotient · 2²⁴ + start + remainder
        states += quotient * (np.uint64(TOTAL) - frequency) + (entry >> _WORD)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The final states and the words, for the decoder."""
        words = np.concatenate([np.empty(0, np.uint32), *reversed(self._words)])
        return self._states.copy(), words


class RansDecoder:
    """Decodes the output of a `RansEncoder`; damaged input raises a ValueError at most."""

    def __init__(self, states: np.ndarray, take: Callable[[int], np.ndarray]) -> None:
        if ((states < _LOWEST) | (states >> np.uint64(63) > 0)).any():
            raise ValueError("a lane starts in an impossible state")
        self._states = states
        self._take = take
        self._lane = 0
        self._lookup = np.empty(0, np.uint64)

    def restart(self) -> None:
        """Starts another sequence, whose first symbol belongs to the first lane."""
        self._lane = 0

    def pop(self, classes: np.ndarray) -> np.ndarray:
        """Decodes the next symbols of a sequence."""
        self._lookup = lookup_table(np.flatnonzero(_occurring(classes))).ravel()
        symbols = np.empty(len(classes), np.uint8)
        begin = 0
        while begin < len(classes):
            end = min(begin + len(self._states) - self._lane, len(classes))
            states = self._states[self._lane : self._lane + end - begin]
            self._step(states, classes[begin:end], symbols[begin:end])
            self._lane = (self._lane + end - begin) % len(self._states)
            begin = end
        return symbols

    def _step(self, states: np.ndarray, classes: np.ndarray, symbols: np.ndarray) -> None:
        slot = states & _SLOT
        base = classes.astype(np.uint64)
        entry = self._lookup.take((base << _CELL | slot >> _CELL).view(np.int64))
        crossed = (entry == 0).nonzero()[0]
        if crossed.size:
            key = base[crossed] << _PRECISION | slot[crossed]
            entry[crossed] = find_intervals(key.view(np.int64))
        symbols[:] = entry  # the lowest eight bits
        states >>= _PRECISION
        states *= entry >> _BYTE & _SLOT
        states += slot
        states -= entry >> _WORD
        underflowing = (states < _LOWEST).nonzero()[0]
        if underflowing.size:
            words = self._take(underflowing.size)
            if len(words) < underflowing.size:
                raise ValueError("the words end too early")
            states[underflowing] = states[underflowing] << _WORD | words

    def is_done(self) -> bool:
        """Whether all words are read and every lane is in the encoder's first state."""
        return not len(self._take(1)) and bool((self._states == _LOWEST).all())


def _occurring(classes: np.ndarray) -> np.ndarray:
    """Which of the 256 classes occur, counted in chunks so that no wide copy is made."""
    counts = np.zeros(256, np.int64)
    for first in range(0, len(classes), 1 << 16):
        counts += np.bincount(classes[first : first + (1 << 16)], minlength=256)
    return counts > 0
