"""The file that a user keeps: packed masks and the head, in safetensors, nothing of the base.

Tensor names are `mask/<path>` (packed bits, uint8), `weight/<path>` (arrays that replace
leaves, the head among them) and `lora_a/<path>`, `lora_b/<path>` (factors). What else is needed
to use them is JSON in the header's metadata under the key `maskjax`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from maskjax.errors import InputError
from maskjax.masking import pack_bits, packed_size, unpack_bits
from maskjax.taskfile.atomic import write_atomically

FORMAT = 1
TASK_FILE = "task.safetensors"
"""The name of the task file in a run folder."""


class TaskFile(NamedTuple):
    """A saved adaptation.

    Attributes:
        frozen: `{sort: {path: array}}` as `maskjax.adaptation.merge` takes it; masks are bool.
        meta: JSON values: `task` (name, kind, labels, metric), `base`, `config`, `scores`.
    """

    frozen: dict[str, dict[str, np.ndarray]]
    meta: dict[str, Any]


def save_task_file(
    path: Path, frozen: Mapping[str, Mapping[str, Any]], meta: Mapping[str, Any]
) -> int:
    """Writes a task file; an old one stays until the new one is whole.

    Args:
        path: The file.
        frozen: From `Adaptation.freeze`.
        meta: JSON values.

    Returns:
        Its size in bytes.

    Raises:
        InputError: If it cannot be written.
    """
    tensors: dict[str, np.ndarray] = {}
    shapes: dict[str, list[int]] = {}
    for sort, leaves in frozen.items():
        for name, leaf in leaves.items():
            array = np.asarray(leaf)
            shapes[f"{sort}/{name}"] = list(array.shape)
            tensors[f"{sort}/{name}"] = pack_bits(array) if sort == "mask" else array
    header = {"format": FORMAT, "shapes": shapes, **meta}
    payload = save(tensors, metadata={"maskjax": json.dumps(header)})
    write_atomically(path, payload)
    return len(payload)


def load_task_file(path: Path) -> TaskFile:
    """Reads a task file.

    Args:
        path: The file.

    Returns:
        Masks, weights and meta data.

    Raises:
        InputError: If the file is missing, damaged or of an unknown format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such task file.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path}: damaged, not a whole safetensors file: {error}.") from error
    if "maskjax" not in metadata:
        raise InputError(f"{path}: a safetensors file, but not a task file of maskjax.")
    meta = json.loads(metadata["maskjax"])
    if meta["format"] != FORMAT:
        raise InputError(
            f"{path}: format {meta['format']}, and this maskjax reads {FORMAT}; upgrade maskjax."
        )
    return TaskFile(_unpack(tensors, meta.pop("shapes"), path), meta)


def find_task_file(run: Path) -> Path:
    """The task file of a run.

    Args:
        run: A run folder, or the task file itself.

    Returns:
        The path of the file, which need not exist.
    """
    return run / TASK_FILE if run.is_dir() else run


def mask_bytes(frozen: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of the masks at one bit a weight.

    Args:
        frozen: From `Adaptation.freeze`.

    Returns:
        The size; 0 where there are no masks.
    """
    return sum(packed_size(mask.shape) for mask in frozen.get("mask", {}).values())


def _unpack(
    tensors: Mapping[str, np.ndarray], shapes: Mapping[str, list[int]], path: Path
) -> dict[str, dict[str, np.ndarray]]:
    if tensors.keys() != shapes.keys():
        differing = sorted(tensors.keys() ^ shapes.keys())
        raise InputError(f"{path}: header and tensors differ in {differing[:3]}; damaged.")
    frozen: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in tensors.items():
        sort, leaf = name.split("/", 1)
        shape = tuple(shapes[name])
        frozen.setdefault(sort, {})[leaf] = unpack_bits(tensor, shape) if sort == "mask" else tensor
    return frozen
