"""A masked weight that is forgotten after its product, and made again for the backward pass."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


class MaskedWeight:
    """W ⊙ M as the right side of a product, whose backward pass keeps M and not W ⊙ M.

    `x @ W` needs W again for the gradient of x. W ⊙ M is as large as W; W is there anyway, and M
    takes a byte a weight. `jax.checkpoint` is no help: XLA on CPU finds that the recomputed value
    is the one of the forward pass and keeps that, and where it does not, it may make all of them at
    once before the first is needed. Here each one depends on the gradient that it is multiplied by.

    It stands in for the array where all that is done with it is `astype` and `x @ it`.

    Args:
        weight: The frozen W, [in, out].
        masked: W ⊙ M, of the same shape. Gradients go through it.

    Example:
        >>> weight = jnp.array([[2.0], [3.0]])
        >>> loss = lambda x, masked: (x @ MaskedWeight(weight, masked)).sum()
        >>> x, masked = jnp.ones((1, 2)), jnp.array([[2.0], [0.0]])
        >>> [gradient.tolist() for gradient in jax.grad(loss, argnums=(0, 1))(x, masked)]
        [[[2.0, 0.0]], [[1.0], [1.0]]]
    """

    def __init__(self, weight: jax.Array, masked: jax.Array) -> None:
        self._weight = weight
        self._masked = masked

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._masked.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the array."""
        return self._masked.dtype

    def __getitem__(self, index: Any) -> "MaskedWeight":
        if index is not Ellipsis:
            raise ValueError(f"A masked weight has no parts, got index {index}.")
        return self

    def astype(self, dtype: DTypeLike) -> "MaskedWeight":
        """The same in another dtype."""
        return MaskedWeight(self._weight.astype(dtype), self._masked.astype(dtype))

    def __rmatmul__(self, x: jax.Array) -> jax.Array:
        return _product(x, self._masked, self._weight)


@jax.custom_vjp
def _product(x: jax.Array, masked: jax.Array, weight: jax.Array) -> jax.Array:
    del weight
    return x @ masked


def _product_fwd(
    x: jax.Array, masked: jax.Array, weight: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    return x @ masked, (x, masked != 0, weight)


def _product_bwd(
    kept: tuple[jax.Array, jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array, None]:
    x, mask, weight = kept
    # Zero, but no compiler may know: it could be NaN. So this is not computed before the gradient.
    nothing = 0 * gradient[0, 0]
    masked = jnp.where(mask, weight, nothing)
    return gradient @ masked.T, x.T @ gradient, None


_product.defvjp(_product_fwd, _product_bwd)
