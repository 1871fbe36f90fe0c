"""Task files: coded masks and the head in safetensors, without the base.

docs/task-file.md has the format. In addition to the tensor `masks` there are `weight/<path>`
(arrays that replace leaves, the head among them) and `lora_a/<path>`, `lora_b/<path>` (factors).
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from maskjax.adaptation import Delta, Mask
from maskjax.adaptation.delta import ON_BASE
from maskjax.masking.packed import PackedMask, RandomMaskSpec
from maskjax.taskfile.atomic import write_atomically
from maskjax.taskfile.digest import DIGEST_FORMAT, digest_all, digest_leaves
from maskjax.taskfile.entries import Content, pack
from maskjax.taskfile.header import HasShape, TaskHeader, parse_bytes, read_task_header
from maskjax.taskfile.write import make_payload

TASK_FILE = "task.safetensors"
"""The name of the task file in a run folder."""


class TaskFile(NamedTuple):
    """A saved adaptation.

    Attributes:
        delta: What the task adds to its base, of NumPy arrays and `PackedMask` objects.
        digests: The digest of the base's leaf below each mask and low-rank product, by path.
        meta: JSON values: `task` (name, kind, labels, metric), `base`, `tokenizer`, `mask`,
            `config`, `scores`.
        initial_masks: The random masks from which masks were learned, by path, which can make them
            smaller in the file; they are not read back.
        name: The name in errors.
        digest_format: How the digests were computed, as in `digest_leaves`.
    """

    delta: Delta
    digests: dict[str, str]
    meta: dict[str, Any]
    initial_masks: Mapping[str, RandomMaskSpec] = MappingProxyType({})
    name: str = "the task"
    digest_format: int = DIGEST_FORMAT

    @property
    def masks(self) -> dict[str, PackedMask]:
        """The masks by path."""
        return self.delta.masks

    @property
    def replaced(self) -> frozenset[str]:
        """Paths of the leaves that the task replaces, those of the head included."""
        return frozenset(self.delta.weights)

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The path and shape of every changed leaf of the base or the head."""
        return self.delta.shapes()

    def with_masks(self, masks: Mapping[str, PackedMask]) -> "TaskFile":
        """The same task with other masks."""
        return self._replace(delta=self.delta.without(Mask) | Delta.of(masks=masks))


def make_task_file(
    delta: Delta,
    base: Mapping[str, Any],
    meta: Mapping[str, Any],
    initial_masks: Mapping[str, RandomMaskSpec] = MappingProxyType({}),
) -> TaskFile:
    """Makes a task file from a delta, with the digests of its base.

    Args:
        delta: From `Adaptation.finalize`.
        base: Leaves of the base by path, without the head.
        meta: As in `TaskFile`; digest and version are added.
        initial_masks: As in `TaskFile`.

    Returns:
        The task, ready to be saved.
    """
    digests = digest_leaves(base)
    on_base = [path for type_ in ON_BASE for path in delta.of_type(type_) if path in digests]
    base_meta = {**meta["base"], "digest": digest_all(digests)}
    return TaskFile(
        pack(delta),
        {path: digests[path] for path in on_base},
        {"maskjax": version("maskjax"), **meta, "base": base_meta},
        initial_masks,
    )


def save_task_file(path: Path, file: TaskFile) -> int:
    """Writes a task file atomically.

    Args:
        path: The file.
        file: The task.

    Returns:
        Its size in bytes.

    Raises:
        InputError: If it cannot be written, or if a reader would reject it.

    Example:
        >>> task = load_task_file(trained / "task.safetensors")
        >>> size = save_task_file(folder / "copy.safetensors", task)
        >>> size == (trained / "task.safetensors").stat().st_size
        True
    """
    content = Content(file.delta, file.digests)
    payload = make_payload(content, file.meta, file.initial_masks, file.digest_format, str(path))
    write_atomically(path, payload)
    return len(payload)


def load_task_file(path: Path, base: Mapping[str, HasShape] | None = None) -> TaskFile:
    """Reads a task file.

    Args:
        path: The file.
        base: Leaves of the base by path, whose shapes are compared before anything is decoded.

    Returns:
        The task; the whole file was checked.

    Raises:
        InputError: If the file is missing, damaged, of an unknown format or of another base.

    Example:
        >>> task = load_task_file(trained / "task.safetensors")
        >>> task.meta["task"]["labels"], sorted(task.masks)[0]
        (['negative', 'positive'], 'encoder/layer/0/attention/output/dense/kernel')
    """
    return read_content(read_task_header(path, base))


def read_task_file(payload: bytes, name: str) -> TaskFile:
    """Reads the bytes of a task file.

    Args:
        payload: The bytes.
        name: The name in errors.

    Returns:
        The task.

    Raises:
        InputError: If they are damaged or of an unknown format.
    """
    return read_content(parse_bytes(payload, name))


def read_content(header: TaskHeader) -> TaskFile:
    """Reads the masks and arrays that a header declares.

    Args:
        header: From `read_task_header`.

    Returns:
        The task.

    Raises:
        InputError: If the content is damaged or does not fit the header.
    """
    return TaskFile(
        header.read_content(),
        header.digests,
        header.meta,
        name=header.name,
        digest_format=header.digest_format,
    )
