"""Arrays that are read from their file when NumPy converts them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

MAX_AXES = 8
MAX_COUNT = 2**48
"""The maximum number of elements of an array."""


class ArraySource(Protocol):
    """An argument of `np.asarray`: a NumPy array, or a `StoredArray`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths along each axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its elements."""
        ...

    def __array__(self, dtype: Any = None, /, *, copy: bool | None = None) -> np.ndarray:
        """Reads the array."""
        ...


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array in a file."""

    shape: tuple[int, ...]  # the lengths along each axis
    dtype: np.dtype[Any]  # the dtype in the file
    read: Callable[[], np.ndarray]  # reads the array; raises InputError if the file is damaged

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Reads the array from the file at every call."""
        array = self.read()
        return array if dtype is None else array.astype(dtype, copy=False)


class StridedLayout(NamedTuple):
    """The positions of an array's elements in a storage, counted in elements."""

    offset: int  # the first element
    shape: tuple[int, ...]  # the lengths along each axis
    strides: tuple[int, ...]  # the distances along each axis

    def problem(self, length: int) -> str | None:
        """The problem of a layout from an untrusted file, or None."""
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or len(self.shape) > MAX_AXES:
            return f"has {len(self.shape)} axes and {len(self.strides)} strides"
        if any(type(number) is not int or not 0 <= number < MAX_COUNT for number in numbers):
            return "has an invalid shape"
        if 0 in self.shape:
            return None
        spans = zip(self.shape, self.strides, strict=True)
        end = self.offset + sum((size - 1) * stride for size, stride in spans) + 1
        return f"needs {end:,} elements and its storage has {length:,}" if end > length else None

    def view(self, flat: np.ndarray) -> np.ndarray:
        """A view of the elements in a storage."""
        if 0 in self.shape:
            return np.zeros(self.shape, flat.dtype)
        strides = tuple(stride * flat.itemsize for stride in self.strides)
        return np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.shape, strides, writeable=False
        )
