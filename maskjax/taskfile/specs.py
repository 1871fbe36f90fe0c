"""Tensor declarations in the header of a safetensors file, checked before a tensor is read."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from maskjax.taskfile.fields import preview
from maskjax.taskfile.limits import MAX_DIMENSIONS
from maskjax.taskfile.source import CHUNK

_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2,
    "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
DTYPES = {
    "U8": np.dtype("u1"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
"""The dtypes of task files, by their names in safetensors."""


class TensorSpec(NamedTuple):
    """The declaration of a tensor."""

    dtype: str  # numPy's name of the dtype; that of safetensors for dtypes that no task file has
    shape: tuple[int, ...]
    start: int = 0  # the first byte, counted from the end of the header
    end: int = 0  # the byte after the last one

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


def read_specs(header: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """Reads the declarations of a safetensors header."""
    specs = {name: _spec(name, entry) for name, entry in header.items() if name != "__metadata__"}
    specs = dict(sorted(specs.items(), key=lambda item: item[1][2:]))
    end = 0
    for name, spec in specs.items():
        if spec.start != end:
            raise ValueError(f"tensor {preview(name)} starts at byte {spec.start}, expected {end}")
        end = spec.end
    return specs


def _spec(name: str, entry: Any) -> TensorSpec:
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        width = _SIZES[dtype]
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"tensor {preview(name)} has no dtype, shape and offsets") from error
    if not is_shape(shape) or type(start) is not int or type(end) is not int:
        raise ValueError(f"tensor {preview(name)} has shape {preview(shape)}")
    if end - start != math.prod(shape) * width or start < 0:
        raise ValueError(f"tensor {preview(name)} has {preview(end - start)} bytes for its shape")
    return TensorSpec(DTYPES[dtype].name if dtype in DTYPES else dtype, tuple(shape), start, end)


def is_shape(shape: Any) -> bool:
    """Whether a JSON value is a shape whose size fits 64 bits."""
    return (
        isinstance(shape, list)
        and len(shape) <= MAX_DIMENSIONS
        and all(type(n) is int and 0 <= n < 1 << 62 for n in shape)
        and math.prod(shape) < 1 << 62
    )


def read_tensor(file: BinaryIO, start: int, spec: TensorSpec) -> np.ndarray:
    """Reads one tensor directly into its array."""
    array = np.empty(spec.shape, np.dtype(_BY_NAME[spec.dtype]))
    view = array.reshape(-1).view(np.uint8).data
    file.seek(start + spec.start)
    for first in range(0, len(view), CHUNK):
        block = view[first : first + CHUNK]
        if file.readinto(block) != len(block):  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError("it ends too early")
    return array


_BY_NAME = {dtype.name: dtype for dtype in DTYPES.values()}


def finite_blocks(array: np.ndarray) -> Iterator[bool]:
    """Whether each block of an array is finite; blocks bound the memory use."""
    flat = array.reshape(-1)
    for first in range(0, flat.size, CHUNK):
        yield bool(np.isfinite(flat[first : first + CHUNK]).all())
