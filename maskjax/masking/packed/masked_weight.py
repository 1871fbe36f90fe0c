"""A masked weight that is dropped after its product and recomputed in the backward pass."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from maskjax.masking.packed.matrix import Matrix

Collect = Callable[[jax.Array], jax.Array]
Residuals = tuple[jax.Array, jax.Array, jax.Array]


class MaskedWeight(Matrix):
    """W ⊙ M as the right side of a product, whose backward pass keeps W and M, but not W ⊙ M.

    The gradient of x in `x @ (W ⊙ M)` needs W ⊙ M, which is as large as W, while W and the scores
    of M are in memory anyway. `jax.checkpoint` does not help: XLA on CPU merges the recomputed
    value with that of the forward pass, or recomputes all of them before the first is needed. Here
    each recomputation depends on the gradient that multiplies it.

    Args:
        masked: W ⊙ M, [in, out]. Gradients go through it.
        weight: The frozen W, of the same shape.
        mask: M, bool, of the same shape. It must not be computed from `masked`, which the compiler
            would then keep instead.
        collect: Applied to the recomputed W ⊙ M; with W and M sharded over devices, it gathers the
            product, and not W and M.

    Example:
        >>> weight, mask = jnp.array([[2.0], [3.0]]), jnp.array([[True], [False]])
        >>> loss = lambda x, masked: (x @ MaskedWeight(masked, weight, mask)).sum()
        >>> x, masked = jnp.ones((1, 2)), jnp.array([[2.0], [0.0]])
        >>> [gradient.tolist() for gradient in jax.grad(loss, argnums=(0, 1))(x, masked)]
        [[[2.0, 0.0]], [[1.0], [1.0]]]
    """

    def __init__(
        self,
        masked: jax.Array,
        weight: jax.Array,
        mask: jax.Array,
        collect: Collect = lambda leaf: leaf,
    ) -> None:
        self._masked = masked
        self._weight = weight
        self._mask = mask
        self._collect = collect

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of W."""
        return self._masked.shape

    @property
    def dtype(self) -> Any:
        """The dtype of W ⊙ M."""
        return self._masked.dtype

    def astype(self, dtype: DTypeLike) -> "MaskedWeight":
        """The same matrix in another dtype."""
        masked, weight = self._masked.astype(dtype), self._weight.astype(dtype)
        return MaskedWeight(masked, weight, self._mask, self._collect)

    def __rmatmul__(self, x: jax.Array) -> jax.Array:
        return _product(self._collect, x, self._masked, self._weight, self._mask)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _product(
    collect: Collect, x: jax.Array, masked: jax.Array, weight: jax.Array, mask: jax.Array
) -> jax.Array:
    del collect, weight, mask
    return x @ masked


def _product_fwd(
    collect: Collect, x: jax.Array, masked: jax.Array, weight: jax.Array, mask: jax.Array
) -> tuple[jax.Array, Residuals]:
    del collect
    return x @ masked, (x, weight, mask)


def _product_bwd(
    collect: Collect, residuals: Residuals, gradient: jax.Array
) -> tuple[jax.Array, jax.Array, None, None]:
    x, weight, mask = residuals
    # The compiler cannot replace this by 0, since a gradient may be NaN. So W ⊙ M depends on the
    # gradient and is not computed before it.
    zero = 0 * gradient[0, 0]
    masked = collect(jnp.where(mask, weight, zero))
    return gradient @ masked.T, x.T @ gradient, None, None


_product.defvjp(_product_fwd, _product_bwd)
