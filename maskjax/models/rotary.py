"""Rotary position embeddings (arXiv 2104.09864): a token's column as an angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


class Rotation(NamedTuple):
    """The cosine and the sine of each angle, float32, each [seq, size / 2]."""

    cos: jax.Array
    sin: jax.Array


def make_rotation(seq: int, size: int, theta: float) -> Rotation:
    """Makes the angles: column times theta^(-2i / size) for the i-th pair of features."""
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    # A power of NumPy's in float32 is off by its last bit, which 8,192 columns make 10 bits of.
    frequencies = np.float32(1) / (theta ** exponents.astype(np.float64)).astype(np.float32)
    angles = jnp.arange(seq, dtype=jnp.float32)[:, None] * frequencies[None, :]
    return Rotation(jnp.cos(angles), jnp.sin(angles))


def rotate(
    x: Float[Array, "batch heads seq size"], by: Rotation
) -> Float[Array, "batch heads seq size"]:
    """Rotates the pairs of the i-th features of both halves, in float32."""
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = by.cos[None, None], by.sin[None, None]
    turned = [first * cos - second * sin, second * cos + first * sin]
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)
