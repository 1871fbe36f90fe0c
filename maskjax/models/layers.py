"""The small computations that every block is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.config import Activation

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray
from maskjax.masking.packed import Matrix


class Dense(nnx.Module):
    """A dense layer, `x @ kernel + bias`.

    Parameters are float32; the product is computed in `dtype`.

    Attributes:
        kernel: [in, out].
        bias: [out], or None.
    """

    def __init__(
        self, in_size: int, out_size: int, dtype: DTypeLike, *, has_bias: bool = True
    ) -> None:
        self.kernel = nnx.Param(jnp.zeros((in_size, out_size), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((out_size,), jnp.float32)) if has_bias else None
        self.dtype = dtype

    def __call__(self, x: Float[Array, "rows in"]) -> Float[Array, "rows out"]:
        """Returns the product in `dtype`.

        Two dimensions only: XLA on CPU runs the backward pass of a three-dimensional product
        under masked weights much slower.
        """
        kernel: Matrix = self.kernel[...]  # an array, or what computes masked weights
        product = x.astype(self.dtype) @ kernel.astype(self.dtype)
        return (
            product if self.bias is None else product + self.bias[...].astype(self.dtype)[None, :]
        )


class LayerNorm(nnx.Module):
    """Layer normalization over the last axis, computed in float32 (arXiv 1607.06450).

    Attributes:
        scale: [size].
        bias: [size], or None.
    """

    def __init__(
        self, size: int, epsilon: float, dtype: DTypeLike, *, has_bias: bool = True
    ) -> None:
        self.scale = nnx.Param(jnp.ones((size,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((size,), jnp.float32)) if has_bias else None
        self.epsilon = epsilon
        self.dtype = dtype

    def __call__(self, x: Float[Array, "rows size"]) -> Float[Array, "rows size"]:
        """Normalizes each row, in `dtype`."""
        x = x.astype(jnp.float32)
        centered = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(centered * centered, axis=-1, keepdims=True)
        scaled = centered * jax.lax.rsqrt(variance + self.epsilon) * self.scale[...][None, :]
        if self.bias is not None:
            scaled = scaled + self.bias[...][None, :]
        return scaled.astype(self.dtype)


class RMSNorm(nnx.Module):
    """Division by the root mean square over the last axis, in float32 (arXiv 1910.07467).

    Attributes:
        scale: [size]; with `plus_one`, what is added to a scale of one.
    """

    def __init__(
        self, size: int, epsilon: float, dtype: DTypeLike, *, plus_one: bool = False
    ) -> None:
        self.scale = nnx.Param(jnp.full((size,), 0.0 if plus_one else 1.0, jnp.float32))
        self.offset = 1.0 if plus_one else 0.0
        self.epsilon = epsilon
        self.dtype = dtype

    def __call__(self, x: Float[Array, "rows size"]) -> Float[Array, "rows size"]:
        """Normalizes each row, in `dtype`."""
        x = x.astype(jnp.float32)
        square = jnp.mean(x * x, axis=-1, keepdims=True)
        normal = x * jax.lax.rsqrt(square + self.epsilon)
        return (normal * (self.offset + self.scale[...])[None, :]).astype(self.dtype)


def gelu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The exact GELU, `x Φ(x)`, of the same shape and dtype (arXiv 1606.08415).

    Not the tanh approximation, which is the default of `jax.nn.gelu`.

    Example:
        >>> round(float(gelu(jnp.float32(1.0))), 4)
        0.8413
    """
    return 0.5 * x * (1.0 + jax.lax.erf(x * 0.5**0.5))


ACTIVATIONS: dict[Activation, Callable[[jax.Array], jax.Array]] = {
    "gelu": gelu,
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}


def dropout(
    x: Float[Array, "*shape"], rate: float, key: PRNGKeyArray | None
) -> Float[Array, "*shape"]:
    """Zeroes entries at random and scales the others, which preserves the expectation.

    Example:
        >>> dropout(jnp.ones(3), 0.5, None).tolist()
        [1.0, 1.0, 1.0]
    """
    if key is None or rate == 0:
        return x
    bits = jax.random.bits(key, x.shape, jnp.uint32)
    keep = bits >= np.uint32(rate * 2**32)
    return jnp.where(keep, x * (1 / (1 - rate)), 0)


def site_key(key: PRNGKeyArray | None, site: int) -> PRNGKeyArray | None:
    """Derives the key of a site in a module from the module's key; None stays None."""
    return None if key is None else jax.random.fold_in(key, site)
