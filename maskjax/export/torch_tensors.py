"""Tensors in the content of a PyTorch file: which records are tensors, and their elements."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from maskjax.errors import InputError, printable
from maskjax.export.pickle_machine import Call, Global, Persistent
from maskjax.export.stored_array import MAX_COUNT, StoredArray, StridedLayout

DTYPES: dict[str, np.dtype[Any]] = {
    **{
        f"torch.{name}": np.dtype(name)
        for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64",
                     "uint32", "uint16", "uint8", "bool")
    },
    "torch.bfloat16": np.dtype(jnp.bfloat16),
}  # fmt: skip
STORAGES = {
    "torch.DoubleStorage": "torch.float64",
    "torch.FloatStorage": "torch.float32",
    "torch.HalfStorage": "torch.float16",
    "torch.BFloat16Storage": "torch.bfloat16",
    "torch.LongStorage": "torch.int64",
    "torch.IntStorage": "torch.int32",
    "torch.ShortStorage": "torch.int16",
    "torch.CharStorage": "torch.int8",
    "torch.ByteStorage": "torch.uint8",
    "torch.BoolStorage": "torch.bool",
    "torch.storage.UntypedStorage": "torch.uint8",
}
REBUILD = ("torch._utils._rebuild_", "torch._tensor._rebuild_")
STRIDED = tuple(f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3"))
WRAPPED = (
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
)
"""Functions whose first argument is the tensor itself."""
SUBCLASS = "torch._tensor._rebuild_from_type_v2"
"""Its arguments are a function, a class and the arguments of the function."""

Load = Callable[[str], np.ndarray]
"""Loads the bytes of a storage, uint8, by its key."""


class StorageId(NamedTuple):
    """A tensor's reference to its storage."""

    key: str  # the name of the storage in the file
    dtype: np.dtype[Any]  # the dtype of its elements
    length: int  # the number of its elements
    offset: int  # the element from which the tensor's own offset counts


def is_tensor(value: Any) -> bool:
    """Whether a record in the content of a file is a tensor of any kind."""
    return isinstance(value, Call) and _path(value.function).startswith(REBUILD)


def make_array(tensor: Call, load: Load, *, swapped: bool) -> StoredArray:
    """Makes an array that reads the elements of a tensor from its storage."""
    path, arguments = _unwrap(tensor)
    if path not in STRIDED:
        raise InputError(f"is made by {printable(path)}; expected a dense tensor")
    if len(arguments) < 4 or not isinstance(arguments[0], Persistent):
        raise InputError("has no storage; the file is damaged")
    storage, (offset, *shape_and_strides) = read_id(arguments[0].id), arguments[1:4]
    if path.endswith("_v3"):  # bytes, whose seventh argument is the dtype
        dtype = _dtype(arguments[6] if len(arguments) > 6 else None)
        size = storage.length // dtype.itemsize
        storage = storage._replace(dtype=dtype, length=size)
    if type(offset) is not int or not all(isinstance(sizes, tuple) for sizes in shape_and_strides):
        raise InputError("has no shape; the file is damaged")
    layout = StridedLayout(storage.offset + offset, *shape_and_strides)
    if problem := layout.problem(storage.length):
        raise InputError(f"{problem}; the file is damaged")

    def read() -> np.ndarray:
        elements = np.array(layout.view(_words(load(storage.key), storage)))
        return (elements.byteswap() if swapped else elements).view(storage.dtype)

    return StoredArray(layout.shape, storage.dtype, read)


def read_id(reference: Any) -> StorageId:
    """Reads the reference of a tensor to its storage."""
    if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
        raise InputError("has a reference to something that is no storage; the file is damaged")
    _, storage_type, key, _, length = reference[:5]
    view = reference[5] if len(reference) > 5 else None
    offset = view[1] if isinstance(view, tuple) and len(view) == 3 else 0
    dtype = _dtype(Global(STORAGES.get(_path(storage_type), _path(storage_type))))
    for number in (length, offset):
        if type(number) is not int or not 0 <= number < MAX_COUNT:
            raise InputError("has a storage of no size; the file is damaged")
    if not isinstance(key, str):
        raise InputError("has a storage without a name; the file is damaged")
    return StorageId(key, dtype, length, offset)


def _path(value: Any) -> str:
    return value.path if isinstance(value, Global) else ""


def _dtype(name: Any) -> np.dtype[Any]:
    if (dtype := DTYPES.get(_path(name))) is None:
        raise InputError(
            f"has the dtype {printable(_path(name)) or 'of no name'}; expected a floating dtype of "
            "16 to 64 bits, integers or bool"
        )
    return dtype


def _unwrap(tensor: Call) -> tuple[str, tuple[Any, ...]]:
    """The function that rebuilds the tensor, below its wrappers, and its arguments."""
    function, arguments = tensor.function, tensor.arguments
    while isinstance(arguments, tuple) and arguments:
        path, first = _path(function), arguments[0]
        if path in WRAPPED and isinstance(first, Call):
            function, arguments = first.function, first.arguments
        elif path == SUBCLASS and len(arguments) > 2:
            function, arguments = first, arguments[2]
        else:
            return path, arguments
    raise InputError("has no arguments; the file is damaged")


def _words(data: np.ndarray, storage: StorageId) -> np.ndarray:
    """The elements of a storage as unsigned integers, whose bytes can be swapped for any dtype."""
    size = storage.dtype.itemsize
    if len(data) < storage.length * size:
        raise InputError("is damaged: a storage is shorter than its tensors")
    return data[: storage.length * size].view(f"u{size}")
