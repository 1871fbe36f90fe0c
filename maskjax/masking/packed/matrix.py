"""The part of an array's interface that a dense layer uses, for weights that are not arrays."""

from types import EllipsisType
from typing import Any, Protocol

import jax
from jax.typing import DTypeLike


class Matrix(Protocol):
    """A matrix `[in, out]` on the right side of a product.

    `jax.Array` has this interface. A stand-in, which computes W ⊙ M within the product, inherits
    from it and takes the place of the array wherever nothing else is done with that.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        ...

    @property
    def dtype(self) -> Any:
        """The dtype of the array."""
        ...

    def __getitem__(self, index: EllipsisType, /) -> "Matrix":
        if index is not Ellipsis:
            raise ValueError(f"{type(self).__name__} has no parts, got index {index}.")
        return self

    def astype(self, dtype: DTypeLike) -> "Matrix":
        """The same matrix in another dtype."""
        ...

    def __rmatmul__(self, x: jax.Array, /) -> jax.Array: ...
