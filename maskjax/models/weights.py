"""A strict loader of safetensors checkpoints: every leaf is filled and every key is used."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

from maskjax.config import parse_json
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models.hf_names import (
    fused_paths,
    is_ignored,
    is_kernel,
    normalize_name,
    swap_layout,
    torch_name,
)
from maskjax.models.model import Params

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
DTYPES = ("F64", "F32", "F16", "BF16")
"""The dtypes, in the spelling of safetensors, that become float32."""


class Tensor(NamedTuple):
    """A tensor in an open file."""

    file: Any  # the handle of safe_open, which has no public type
    key: str


def load_weights(folder: Path, family: str, abstract: Params) -> Params:
    """Reads the parameters of a base."""
    source, files = _weight_files(folder)
    leaves = flatten_with_paths(abstract)
    expected = {torch_name(path, family): fused_paths(path, family) for path in leaves}
    with ExitStack() as stack:
        handles = [stack.enter_context(_open(path)) for path in files]
        tensors, problems = _find_tensors(handles, expected, family)
        for name, tensor in tensors.items():
            problems += _misfits(tensor, expected[name], leaves[expected[name][0]].shape)
        if problems:
            raise InputError(f"{source} is no {family} checkpoint: {'; '.join(problems)}")
        filled: dict[str, jax.Array] = {}
        for name, tensor in tensors.items():
            filled |= _read(tensor, expected[name])
    return update_leaves(abstract, filled)


def tensor_names(folder: Path) -> frozenset[str]:
    """Lists the tensors of a checkpoint, as they are written."""
    _, files = _weight_files(folder)
    with ExitStack() as stack:
        return frozenset(chain.from_iterable(_keys(stack.enter_context(_open(f))) for f in files))


def has_weights(folder: Path) -> bool:
    """Whether a folder has a safetensors checkpoint, with every shard if it is sharded."""
    index = folder / INDEX_FILE
    if index.is_file() and not (folder / SINGLE_FILE).is_file():
        return all(shard.is_file() for shard in _shards(index))
    return (folder / SINGLE_FILE).is_file()


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Args:
        path: The file.

    Returns:
        The object.

    Raises:
        InputError: If there is no such file, or it does not hold an object.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected the folder of a checkpoint")
    content = parse_json(path.read_bytes(), str(path), "download the checkpoint again")
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a JSON {type(content).__name__}; expected an object")
    return content


def _weight_files(folder: Path) -> tuple[Path, list[Path]]:
    """Finds the file that names the checkpoint in messages, and the files of its tensors."""
    file, index = folder / SINGLE_FILE, folder / INDEX_FILE
    if file.is_file():
        return file, [file]
    if not index.is_file():
        raise InputError(_no_weights(folder))
    shards = _shards(index)
    if missing := [shard.name for shard in shards if not shard.is_file()]:
        raise InputError(f"{index} names files that are missing: {', '.join(missing)}")
    return index, shards


def _shards(index: Path) -> list[Path]:
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise InputError(f"{index} has no weight_map; expected {{tensor: file}}")
    return [index.parent / name for name in sorted(set(map(str, shards.values())))]


def _no_weights(folder: Path) -> str:
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    alternatives = (
        f"only {', '.join(pickles)}, which is pickle and can run code" if pickles else "nor shards"
    )
    return (
        f"{folder} has no {SINGLE_FILE}, {alternatives}; to convert a checkpoint, run where PyTorch"
        " is: transformers.AutoModel.from_pretrained(old).save_pretrained(new)"
    )


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise InputError(f"{path} is damaged or no safetensors file: {error}") from error


def _find_tensors(
    files: list[Any], expected: Collection[str], family: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Finds the expected tensors by name; also returns missing, unexpected and duplicate ones."""
    tensors: dict[str, Tensor] = {}
    problems = []
    for file in files:
        for written, key in sorted(_keys(file).items()):
            name = normalize_name(written, family)
            if name in tensors:
                problems.append(f"{key} and {tensors[name].key} are the same tensor")
            elif name in expected:
                tensors[name] = Tensor(file, key)
            elif not is_ignored(name, family):
                problems.append(f"{key} is unexpected")
    problems += [f"{name} is missing" for name in sorted(set(expected) - tensors.keys())]
    return tensors, problems


def _keys(file: Any) -> dict[str, str]:
    """Each name of a tensor and the key that it is stored under.

    `safetensors.torch.save_model` stores tensors that share their memory once, and notes the other
    names in the metadata: {name: key}.
    """
    keys = {key: key for key in file.keys()}  # noqa: SIM118 -- safe_open is no mapping
    noted = file.metadata() or {}
    return keys | {name: key for name, key in noted.items() if name not in keys and key in keys}


def _misfits(tensor: Tensor, paths: Sequence[str], shape: tuple[int, ...]) -> Iterator[str]:
    stored = tensor.file.get_slice(tensor.key)
    rows, *columns = shape[::-1] if is_kernel(paths[0]) else shape
    expected = [rows * len(paths), *columns]
    if stored.get_shape() != expected:
        yield f"{tensor.key} has shape {stored.get_shape()}, expected {expected}"
    if stored.get_dtype() not in DTYPES:
        yield f"{tensor.key} has dtype {stored.get_dtype()}, expected {' or '.join(DTYPES)}"


def _read(tensor: Tensor, paths: Sequence[str]) -> dict[str, jax.Array]:
    parts = zip(paths, np.split(tensor.file.get_tensor(tensor.key), len(paths)), strict=True)
    return {
        path: jnp.asarray(swap_layout(path, part).astype(np.float32, order="C"))
        for path, part in parts
    }
