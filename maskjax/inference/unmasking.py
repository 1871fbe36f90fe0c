"""W ⊙ M from packed bits, as an array that stays."""

import jax
import numpy as np

from maskjax.masking.packed import unpack_bit_planes


@jax.jit
def unmask(weight: jax.Array, planes: jax.Array) -> jax.Array:
    """W ⊙ M."""
    return weight * unpack_bit_planes(planes, weight.shape[0]).astype(weight.dtype)


def full_planes(shape: tuple[int, ...]) -> np.ndarray:
    """Planes that keep every weight of a matrix of this shape."""
    return np.full((-(-shape[0] // 8), shape[1]), 255, np.uint8)
