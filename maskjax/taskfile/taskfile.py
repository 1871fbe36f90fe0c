"""The file that a user keeps: coded masks and the head, in safetensors, nothing of the base.

docs/task-file.md has the format. Beside the tensor `masks` there are `weight/<path>` (arrays that
replace leaves, the head among them) and `lora_a/<path>`, `lora_b/<path>` (factors).
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.masking import PackedMask, Start
from maskjax.taskfile.atomic import write_atomically
from maskjax.taskfile.container import pack_container, unpack_container
from maskjax.taskfile.digest import digest_all, digest_leaves
from maskjax.taskfile.entries import Parts, decode_entries, encode_entries
from maskjax.taskfile.schema import check_header

FORMAT = 1
TASK_FILE = "task.safetensors"
"""The name of the task file in a run folder."""


class TaskFile(NamedTuple):
    """A saved adaptation.

    Attributes:
        masks: Packed masks by path.
        arrays: `{sort: {path: array}}` for the sorts `weight`, `lora_a` and `lora_b`.
        digests: Of the base's leaf below each mask and factor, by path.
        meta: JSON values: `task` (name, kind, labels, metric), `base`, `tokenizer`, `mask`,
            `config`, `scores`.
        starts: The random starts that masks began with, by path, which may make them smaller in
            the file; they are not read back.
        name: What errors call it.
    """

    masks: dict[str, PackedMask]
    arrays: dict[str, dict[str, np.ndarray]]
    digests: dict[str, str]
    meta: dict[str, Any]
    starts: Mapping[str, Start] = MappingProxyType({})
    name: str = "the task"

    @property
    def frozen(self) -> dict[str, dict[str, np.ndarray]]:
        """`{sort: {path: array}}` as `maskjax.adaptation.merge` takes it, masks unpacked."""
        masks = {path: mask.unpack() for path, mask in self.masks.items()}
        return ({"mask": masks} if masks else {}) | self.arrays

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Path and shape of every leaf of the base or the head that is changed."""
        yield from ((path, mask.shape) for path, mask in self.masks.items())
        yield from ((path, leaf.shape) for path, leaf in self.arrays.get("weight", {}).items())
        second = self.arrays.get("lora_b", {})
        for path, first in self.arrays.get("lora_a", {}).items():
            yield path, (*first.shape[:1], *second[path].shape[1:])


def make_task_file(
    frozen: Mapping[str, Mapping[str, Any]],
    base: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
    starts: Mapping[str, Start] = MappingProxyType({}),
) -> TaskFile:
    """Puts a task together, with the digests of the base that it was learned on.

    Args:
        frozen: From `Adaptation.freeze`.
        base: Leaves of the base by path, without the head.
        meta: As in `TaskFile`; digest and version are added.
        starts: As in `TaskFile`.

    Returns:
        The task, ready to be saved.
    """
    masks = {path: PackedMask.of(mask) for path, mask in frozen.get("mask", {}).items()}
    arrays = {
        sort: {path: np.asarray(leaf) for path, leaf in leaves.items()}
        for sort, leaves in frozen.items()
        if sort != "mask"
    }
    digests = digest_leaves(base)
    changed = [path for path in (*masks, *arrays.get("lora_a", {})) if path in digests]
    whole = {**meta["base"], "digest": digest_all(digests)}
    return TaskFile(
        masks,
        arrays,
        {path: digests[path] for path in changed},
        {"maskjax": version("maskjax"), **meta, "base": whole},
        starts,
    )


def save_task_file(path: Path, file: TaskFile) -> int:
    """Writes a task file; an old one stays until the new one is whole.

    Args:
        path: The file.
        file: The task.

    Returns:
        Its size in bytes.

    Raises:
        InputError: If it cannot be written.
    """
    tensors, entries = encode_entries(Parts(file.masks, file.arrays, file.digests), file.starts)
    payload = pack_container(tensors, {"format": FORMAT, **file.meta, "entries": entries})
    write_atomically(path, payload)
    return len(payload)


def load_task_file(path: Path) -> TaskFile:
    """Reads a task file.

    Args:
        path: The file.

    Returns:
        Masks, arrays and meta data; all of the file was checked, nothing of a base.

    Raises:
        InputError: If the file is missing, damaged or of an unknown format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such task file.")
    return read_task_file(path.read_bytes(), str(path))


def read_task_file(payload: bytes, name: str) -> TaskFile:
    """Reads the bytes of a task file.

    Args:
        payload: The bytes.
        name: What errors call it.

    Returns:
        The task.

    Raises:
        InputError: If they are damaged or of an unknown format.
    """
    tensors, header = unpack_container(payload, name)
    found = header.pop("format", None)
    if found != FORMAT:
        raise InputError(
            f"{name}: expected format {FORMAT}, got {found!r}; upgrade maskjax "
            f"{version('maskjax')} to a version that reads it."
        )
    entries = header.pop("entries", None)
    check_header(header, name)
    return TaskFile(*decode_entries(tensors, entries, name), header, name=name)
