"""A frozen weight and a packed mask in place of an array: W ⊙ M is never there as a whole."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.typing import DTypeLike

from maskjax.masking.kernel import masked_product


class PackedWeight:
    """W ⊙ M as the right side of a product, by the kernel of `maskjax.masking.kernel`.

    It stands in for the array where all that is done with it is `astype` and `x @ it`. Under
    `jax.vmap` over tasks, W itself not among what is mapped, one kernel computes all of them.

    Args:
        weight: The frozen W, [in, out]. in must divide by 8.
        planes: M as `pack_planes` packs it, uint8 [in / 8, out].
        interpret: Compute it where there is no TPU.

    Example:
        >>> weight, planes = jnp.ones((8, 3)), jnp.array([[255, 1, 0]], jnp.uint8)
        >>> (jnp.ones((1, 8)) @ PackedWeight(weight, planes, interpret=True)).tolist()
        [[8.0, 1.0, 0.0]]
    """

    def __init__(self, weight: jax.Array, planes: jax.Array, *, interpret: bool = False) -> None:
        self._weight = weight
        self._planes = planes
        self._interpret = interpret

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._weight.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the array."""
        return self._weight.dtype

    def __getitem__(self, index: Any) -> "PackedWeight":
        if index is not Ellipsis:
            raise ValueError(f"A packed weight has no parts, got index {index}.")
        return self

    def astype(self, dtype: DTypeLike) -> "PackedWeight":
        """The same in another dtype."""
        return PackedWeight(self._weight.astype(dtype), self._planes, interpret=self._interpret)

    def __rmatmul__(self, x: jax.Array) -> jax.Array:
        return _product(self._interpret)(x, self._weight, self._planes)


def _product(interpret: bool) -> Any:
    @custom_vmap
    def product(x: jax.Array, weight: jax.Array, planes: jax.Array) -> jax.Array:
        return masked_product(x[None], weight, planes[None], interpret=interpret)[0]

    @product.def_vmap
    def product_of_tasks(
        tasks: int, mapped: list[bool], x: jax.Array, weight: jax.Array, planes: jax.Array
    ) -> tuple[jax.Array, bool]:
        if mapped[1] or not mapped[2]:
            raise ValueError(f"Expected masks of {tasks} tasks over one weight.")
        x = x if mapped[0] else jnp.broadcast_to(x, (tasks, *x.shape))
        return masked_product(x, weight, planes, interpret=interpret), True

    return product
