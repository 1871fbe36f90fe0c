"""Random masks from their keys, as packed bits."""

import numpy as np

from maskjax.masking.packed.packing import PackedMask, packed_size
from maskjax.masking.packed.philox import RandomMaskSpec, start_zeros

_BLOCKS = 1 << 14
"""Blocks of four weights that are made at once: as many as a processor's cache holds."""
_BYTES = 1 << 18
"""Bytes that are counted at once."""


def is_well_formed(mask: PackedMask) -> bool:
    """Whether a mask has the bytes that its shape needs and only zeros after its last weight.

    Args:
        mask: The mask.

    Returns:
        True if it can be encoded.

    Example:
        >>> is_well_formed(PackedMask(np.array([2], np.uint8), (1,)))
        False
    """
    fits = mask.bits.dtype == np.uint8 and mask.bits.shape == (packed_size(mask.shape),)
    used = mask.size % 8  # bits of the last byte; 0 where all of them are
    return fits and not (used and mask.bits[-1] >> used)


def zeros_in(mask: PackedMask) -> int:
    """The weights that a mask drops, counted in pieces so that no second mask is allocated."""
    parts = (mask.bits[at : at + _BYTES] for at in range(0, len(mask.bits), _BYTES))
    return mask.size - sum(int(np.bitwise_count(part).sum(dtype=np.int64)) for part in parts)


def initial_mask(start: RandomMaskSpec, shape: tuple[int, ...]) -> PackedMask:
    """The random mask that a key and a cutoff stand for.

    Args:
        start: Its key and cutoff.
        shape: Its shape.

    Returns:
        The mask; weight i, in row-major order, is 0 if word i of the key's Philox4x32-10 stream
        is less than the cutoff.

    Example:
        >>> initial_mask(RandomMaskSpec((0, 0), 0xA0000000), (2, 2)).bits.tolist()
        [6]
    """
    mask = PackedMask.ones(shape)
    for first in range(0, len(mask.bits), _BLOCKS // 2):
        part = mask.bits[first : first + _BLOCKS // 2]
        zeros = start_zeros(start, 2 * first, 2 * len(part))
        part &= ~np.packbits(zeros, bitorder="little")
    return mask
