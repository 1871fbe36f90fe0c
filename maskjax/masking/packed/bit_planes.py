"""Packed masks in an order that a vector unit unpacks without moving data between lanes.

A matrix of `[in, out]` weights is cut into eight planes of in / 8 rows. Bit b of byte
`[row, column]` is that of the weight in this row and column of plane b, so a shift of all bytes by
b gives plane b in the layout of the matrix. Files have the order of `pack_bits`, in which the bits
of a byte belong to eight neighbors in a row.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking.placement import gather

Array = TypeVar("Array", np.ndarray, jax.Array)

PLANES = 8


def pack_bit_planes(mask: np.ndarray) -> np.ndarray:
    """Packs the mask of a matrix.

    Args:
        mask: bool `[in, out]`.

    Returns:
        uint8 `[⌈in / 8⌉, out]`; rows after the last one are zeros.

    Example:
        >>> pack_bit_planes(np.eye(16, dtype=bool)[:, :3]).tolist()
        [[1, 0, 2], [0, 1, 0]]
    """
    rows = -len(mask) % PLANES
    padded = np.pad(mask, ((0, rows), (0, 0)))
    bit_planes = padded.reshape(PLANES, -1, mask.shape[1])
    return np.packbits(bit_planes, axis=0, bitorder="little")[0]


def unpack_bit_planes(bit_planes: Array, rows: int) -> Array:
    """The inverse of `pack_bit_planes`.

    Args:
        bit_planes: uint8 `[⌈in / 8⌉, out]`, of NumPy or JAX.
        rows: in.

    Returns:
        The mask, bool `[in, out]`.

    Example:
        >>> mask = np.random.default_rng(0).random((11, 5)) < 0.5
        >>> bool((unpack_bit_planes(pack_bit_planes(mask), 11) == mask).all())
        True
    """
    xp = np if isinstance(bit_planes, np.ndarray) else jnp
    bits = xp.arange(PLANES, dtype=np.uint8)[:, None, None]
    unpacked = (gather(bit_planes, axis=0)[None] >> bits) & np.uint8(1)
    return unpacked.reshape(-1, bit_planes.shape[1])[:rows].astype(bool)
