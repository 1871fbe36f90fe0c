"""A reader of PyTorch's state dicts, without PyTorch and without running code in the file."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

from maskjax.errors import InputError, printable
from maskjax.export.pickle_machine import Call, Global
from maskjax.export.stored_array import StoredArray
from maskjax.export.torch_file import SAVE, TorchFile, open_torch_file
from maskjax.export.torch_tensors import is_tensor, make_array

SAFETENSORS = {
    **{f"F{bits}": np.dtype(f"float{bits}") for bits in (64, 32, 16)},
    **{f"I{bits}": np.dtype(f"int{bits}") for bits in (64, 32, 16, 8)},
    **{f"U{bits}": np.dtype(f"uint{bits}") for bits in (64, 32, 16, 8)},
    "BF16": np.dtype(jnp.bfloat16),
    "BOOL": np.dtype(bool),
}
MASKS = (".weight_mask", ".bias_mask")
DEPTH = 4
"""The depth to which lists and dicts are searched for a state dict."""


def read_state_dict(path: Path) -> dict[str, StoredArray]:
    """Reads a state dict: a safetensors file, or a file of `torch.save`.

    Nothing in the file is executed, and PyTorch is not needed. The state dict may be nested in
    other dicts, as training code saves it. Values other than tensors are left out.

    Args:
        path: The file.

    Returns:
        `{name: array}`, in the dtypes of the file. An array is read when NumPy converts it, which
        raises an InputError if that part of the file is damaged.

    Raises:
        InputError: If the file is missing, damaged, or holds no state dict or several.

    Example:
        >>> from safetensors.numpy import save_file
        >>> save_file({"bias": np.zeros(2, np.float32)}, folder / "model.safetensors")
        >>> list(read_state_dict(folder / "model.safetensors"))
        ['bias']
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the file in it, such as model.safetensors.")
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a state dict (.safetensors, .pt, .bin).")
    try:
        if _is_safetensors(path):
            return _read_safetensors(path)
        return _arrays(open_torch_file(path))
    except InputError as error:
        raise InputError(f"{path}: {error}.") from error


def _is_safetensors(path: Path) -> bool:
    """Recognizes a safetensors file by its content, since it can have any name."""
    with path.open("rb") as file:
        return path.suffix == ".safetensors" or file.read(9)[8:] == b"{"


def _read_safetensors(path: Path) -> dict[str, StoredArray]:
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(_stored(path, file))
    except SafetensorError as error:
        reason = printable(str(error))
        raise InputError(f"damaged, not a whole safetensors file: {reason}") from error


def _stored(path: Path, file: Any) -> Iterator[tuple[str, StoredArray]]:
    for name in file.keys():  # noqa: SIM118
        tensor = file.get_slice(name)
        if (dtype := SAFETENSORS.get(tensor.get_dtype())) is None:
            raise InputError(
                f"{printable(name)} has the dtype {tensor.get_dtype()}; expected a floating dtype"
                " of 16 to 64 bits, integers or bool"
            )
        read = functools.partial(_read_tensor, path, name)
        yield name, StoredArray(tuple(tensor.get_shape()), dtype, read)


def _read_tensor(path: Path, name: str) -> np.ndarray:
    with safe_open(path, framework="numpy") as file:
        return file.get_tensor(name)


def _arrays(file: TorchFile) -> dict[str, StoredArray]:
    """The arrays of the state dict in the content of a PyTorch file."""
    checked: set[str] = set()  # a storage can be that of many tensors

    def load(key: str) -> np.ndarray:
        if key not in file.regions:
            raise InputError(f"is damaged: it has no storage {printable(key)}")
        if key not in checked:
            file.regions[key].check()
            checked.add(key)
        return file.regions[key].map()

    arrays: dict[str, StoredArray] = {}
    for name, value in _find_state(file.content).items():
        if isinstance(name, str) and is_tensor(value):
            try:
                arrays[name] = make_array(value, load, swapped=file.swapped)
            except InputError as error:
                raise InputError(f"{printable(name)} {error}") from error
    return arrays


def _find_state(content: Any) -> dict[Any, Any]:
    """The only dict with masks, else with names of parameters, else with any tensors."""
    states = dict(_states(content))
    for rank in (_has_masks, _has_parameters, bool):
        ranked = {location: state for location, state in states.items() if rank(state)}
        if len(ranked) > 1:
            locations = ", ".join(printable(location) for location in list(ranked)[:4])
            raise InputError(
                f"expected one state dict {{name: tensor}}, got {len(ranked)} of them"
                f" ({locations}); save only the intended one"
            )
        if ranked:
            return next(iter(ranked.values()))
    raise InputError(f"expected a state dict {{name: tensor}}, got {_described(content)}; {SAVE}")


def _states(content: Any) -> Iterator[tuple[str, dict[Any, Any]]]:
    """All dicts with tensors, with their locations; a dict with several references comes once."""
    visited: set[int] = set()
    level: list[tuple[str, Any]] = [("", content)]
    for _ in range(DEPTH):
        next_level: list[tuple[str, Any]] = []
        for location, value in level:
            if id(value) in visited:
                continue
            visited.add(id(value))
            if isinstance(value, dict):
                if any(isinstance(n, str) and is_tensor(v) for n, v in value.items()):
                    yield location or "the content itself", value
                next_level += [(f"{location}[{name!r}]", item) for name, item in value.items()]
            elif isinstance(value, list | tuple):
                next_level += [(f"{location}[{index}]", item) for index, item in enumerate(value)]
        level = next_level


def _has_masks(state: dict[Any, Any]) -> bool:
    return any(isinstance(name, str) and name.endswith(MASKS) for name in state)


def _has_parameters(state: dict[Any, Any]) -> bool:
    return any(isinstance(n, str) and "." in n and is_tensor(v) for n, v in state.items())


def _described(content: Any) -> str:
    if isinstance(content, Call):
        function = content.function
        path = printable(function.path) if isinstance(function, Global) else "no name"
        return f"an object of {path}, which only its own code can load"
    return f"a {type(content).__name__} without one"
