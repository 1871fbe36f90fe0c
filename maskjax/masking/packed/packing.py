"""Masks as packed bytes, one bit per weight, for every shape.

Weights are in row-major order; the first weight is the lowest bit of the first byte, and the bits
after the last weight are zero. Functions return NumPy arrays for NumPy arrays and JAX arrays for
JAX arrays, so that masks are unpacked on the device that uses them.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking.placement import gather
from maskjax.masking.sparsity import Count

Array = TypeVar("Array", np.ndarray, jax.Array)


def packed_size(shape: tuple[int, ...]) -> int:
    """The bytes of a packed mask.

    Args:
        shape: The shape of the mask.

    Returns:
        ⌈weights / 8⌉.

    Example:
        >>> packed_size((3, 3))
        2
    """
    return -(-math.prod(shape) // 8)


def pack_bits(mask: Array) -> Array:
    """Packs a mask, eight weights per byte.

    Args:
        mask: Any shape; bool, or numbers, of which all but 0 count as 1.

    Returns:
        uint8 bytes of shape `[packed_size(mask.shape)]`.

    Example:
        >>> pack_bits(np.array([[True, False, True]])).tolist()
        [5]
    """
    if isinstance(mask, np.ndarray):
        return np.packbits(mask.ravel().astype(bool), bitorder="little")
    return jnp.packbits(gather(mask).ravel().astype(bool), bitorder="little")


def unpack_bits(packed: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of `pack_bits`.

    Args:
        packed: uint8 bytes of shape `[packed_size(shape)]`.
        shape: The shape of the mask.

    Returns:
        A bool mask of that shape.

    Raises:
        ValueError: If the number or the dtype of the bytes does not fit.

    Example:
        >>> unpack_bits(np.array([5], np.uint8), (1, 3)).tolist()
        [[True, False, True]]
    """
    if packed.shape != (packed_size(shape),) or packed.dtype != np.uint8:
        raise ValueError(
            f"Expected {packed_size(shape)} uint8 bytes for a mask of shape {shape}, "
            f"got {packed.dtype} of shape {packed.shape} instead."
        )
    packed, size = gather(packed), math.prod(shape)
    if isinstance(packed, np.ndarray):
        bits = np.unpackbits(packed, count=size, bitorder="little")
    else:
        bits = jnp.unpackbits(packed, count=size, bitorder="little")
    return bits.reshape(shape).astype(bool)


class PackedMask(NamedTuple):
    """A mask at one bit per weight.

    Attributes:
        bits: uint8 bytes `[packed_size(shape)]`, as `pack_bits` gives them.
        shape: The shape of the mask.

    Example:
        >>> mask = PackedMask.of(np.array([[True, False, True]]))
        >>> mask.bits.tolist(), mask.zeros, mask.unpack().tolist()
        ([5], 1, [[True, False, True]])
    """

    bits: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def of(cls, mask: np.ndarray | jax.Array) -> "PackedMask":
        """Packs a mask of any shape."""
        return cls(pack_bits(np.asarray(mask)), tuple(mask.shape))

    @classmethod
    def ones(cls, shape: tuple[int, ...]) -> "PackedMask":
        """The mask that keeps every weight."""
        bits = np.full(packed_size(shape), 255, np.uint8)
        bits[-1:] >>= -math.prod(shape) % 8
        return cls(bits, shape)

    def unpack(self) -> np.ndarray:
        """The mask as a bool array of its shape."""
        return unpack_bits(self.bits, self.shape)

    @property
    def size(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    @property
    def zeros(self) -> int:
        """The number of dropped weights."""
        return self.size - int(np.bitwise_count(self.bits).sum())


def count_packed(masks: Mapping[str, PackedMask]) -> dict[str, Count]:
    """Counts the zeros of packed masks, without unpacking them.

    Args:
        masks: `{path: packed mask}`.

    Returns:
        `{path: count}`.

    Example:
        >>> count_packed({"kernel": PackedMask.of(np.array([True, False]))})
        {'kernel': Count(zeros=1, total=2)}
    """
    return {path: Count(mask.zeros, mask.size) for path, mask in masks.items()}
