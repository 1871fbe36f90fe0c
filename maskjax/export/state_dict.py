"""State dicts of PyTorch in files, read into NumPy without running any code of theirs."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from maskjax.errors import InputError

StateDict = dict[str, np.ndarray]


def read_state_dict(path: Path) -> StateDict:
    """Reads a state dict: a safetensors file, or what `torch.save` wrote.

    A pickled file is read with `weights_only=True`, which runs no code, and needs PyTorch. The
    state dict may lie in a dict of other things, as training code saves it.

    Args:
        path: The file.

    Returns:
        `{name: array}`; bfloat16 becomes float32.

    Raises:
        InputError: If the file is missing, damaged, or holds no state dict, or if it needs PyTorch
            and there is none.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a state dict (.safetensors, .pt, .bin).")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _find_state(_unpickle(path), path)


def _read_safetensors(path: Path) -> StateDict:
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: _plain(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path}: damaged, not a whole safetensors file: {error}.") from error


def _unpickle(path: Path) -> Any:
    try:
        import torch  # lazy: only here, and heavy
    except ImportError as error:
        raise InputError(
            f'{path}: PyTorch reads this file; pip install "maskjax[torch]", or save the state '
            "dict as .safetensors where PyTorch is."
        ) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{path}: expected a state dict, which torch.load reads with weights_only=True "
            f"({reason}); save it with torch.save(model.state_dict(), file)."
        ) from error


def _find_state(content: Any, path: Path) -> StateDict:
    """Takes the state dict, or the only one in a dict of other things."""
    if _is_state(content):
        return {name: _from_torch(tensor) for name, tensor in content.items()}
    inner = [value for value in content.values() if _is_state(value)] if _is_dict(content) else []
    if len(inner) != 1:
        found = f"{len(inner)} of them" if inner else f"a {type(content).__name__} without one"
        raise InputError(f"{path}: expected one state dict {{name: tensor}}, got {found}.")
    return {name: _from_torch(tensor) for name, tensor in inner[0].items()}


def _is_dict(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_state(value: Any) -> bool:
    return _is_dict(value) and bool(value) and all(hasattr(t, "numpy") for t in value.values())


def _from_torch(tensor: Any) -> np.ndarray:
    tensor = tensor.detach()
    return _plain((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def _plain(array: np.ndarray) -> np.ndarray:
    """Floats of 16 bits become float32; bool and integers stay."""
    return array if array.dtype.kind in "biu" else array.astype(np.float32)
