"""Random masks, generated from their keys as packed bits."""

import numpy as np

from maskjax.masking.packed.packing import PackedMask, packed_size
from maskjax.masking.packed.philox import RandomMaskSpec, mask_zeros

_BLOCKS = 1 << 14
"""Blocks of four weights that are generated at a time: as many as a processor's cache holds."""
_BYTES = 1 << 18
"""Bytes that are counted at a time."""


def is_well_formed(mask: PackedMask) -> bool:
    """Whether a mask has the number of bytes of its shape, and only zeros after its last weight.

    Args:
        mask: The mask.

    Returns:
        True if it can be encoded.

    Example:
        >>> is_well_formed(PackedMask(np.array([2], np.uint8), (1,)))
        False
    """
    fits = mask.bits.dtype == np.uint8 and mask.bits.shape == (packed_size(mask.shape),)
    tail_bits = mask.size % 8  # bits of the last byte in use; 0 if all are
    return fits and not (tail_bits and mask.bits[-1] >> tail_bits)


def zeros_in(mask: PackedMask) -> int:
    """Counts the weights that a mask drops, in blocks so that no second mask is allocated."""
    blocks = (mask.bits[i : i + _BYTES] for i in range(0, len(mask.bits), _BYTES))
    return mask.size - sum(int(np.bitwise_count(block).sum(dtype=np.int64)) for block in blocks)


def initial_mask(spec: RandomMaskSpec, shape: tuple[int, ...]) -> PackedMask:
    """Generates the random mask of a key and a cutoff.

    Args:
        spec: The key and the cutoff.
        shape: The shape.

    Returns:
        The mask; weight i, in row-major order, is 0 if word i of the key's Philox4x32-10 stream
        is less than the cutoff.

    Example:
        >>> initial_mask(RandomMaskSpec((0, 0), 0xA0000000), (2, 2)).bits.tolist()
        [6]
    """
    mask = PackedMask.ones(shape)
    for first in range(0, len(mask.bits), _BLOCKS // 2):
        block = mask.bits[first : first + _BLOCKS // 2]
        zeros = mask_zeros(spec, 2 * first, 2 * len(block))
        block &= ~np.packbits(zeros, bitorder="little")
    return mask
