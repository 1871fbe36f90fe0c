"""The header of a task file, read and checked before any content is decoded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.masking import Count
from maskjax.masking.packed import PackedMask
from maskjax.taskfile.codec import Encoding, decode_stream, read_records, zeros_in
from maskjax.taskfile.container import ContainerHeader, damaged, read_container_header
from maskjax.taskfile.entries import (
    MASKS,
    Declared,
    Shape,
    changed_shapes,
    check_entries,
    make_delta,
)
from maskjax.taskfile.schema import check_format, check_header
from maskjax.taskfile.source import Source, bytes_source, file_source
from maskjax.taskfile.specs import finite_blocks, read_tensor

_VERIFIED_FIRST = 1 << 23
"""Files up to this many bytes are compared with their checksum before their header is checked, so
that damage is reported as such. For larger ones that would cost time before a bad header fails."""


class HasShape(Protocol):
    """An array, or a stand-in for one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...


class TaskHeader(NamedTuple):
    """A task file whose header is checked, and whose masks and arrays are not read yet.

    Attributes:
        meta: As in `TaskFile`.
        declared: Masks, arrays and digests, by path.
        digest_format: As in `TaskFile`.
        container: The container, from which the content is read.
    """

    meta: dict[str, Any]
    declared: Declared
    digest_format: int
    container: ContainerHeader

    @property
    def name(self) -> str:
        """The name in errors."""
        return self.container.source.name

    @property
    def checksum(self) -> str:
        """The checksum of the file, 64 hexadecimal digits."""
        return self.container.checksum

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the base's leaf below each mask and low-rank product, by path."""
        return self.declared.digests

    @property
    def replaced(self) -> frozenset[str]:
        """Paths of the leaves that the task replaces, those of the head included."""
        return frozenset(self.declared.arrays.get("weight", {}))

    @property
    def counts(self) -> dict[str, Count] | None:
        """Zeros and sizes of the masks, as declared; None in files of format 1."""
        declared = self.declared
        return None if declared.masks and not declared.counts else declared.counts

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        """The path and shape of every changed leaf of the base or the head."""
        return changed_shapes(self.declared.masks, self.declared.arrays)

    def encodings(self) -> dict[str, Encoding]:
        """The encoding of each mask, read without decoding a mask."""
        if not self.declared.masks:
            return {}
        with self.container.source.open() as file:
            self.container.check_version(file)
            start, length = self._masks_place(file)
            file.seek(start)
            records = read_records(file, length, self.declared.masks, self.name)[0]
        return {path: records[path].encoding for path in self.declared.masks}

    def check(self) -> None:
        """Compares the file with its checksum, without decoding.

        Raises:
            InputError: If it was changed.
        """
        with self.container.source.open() as file:
            self.container.check_version(file)
            self.container.verify(file)

    def read_content(self) -> Delta:
        """Reads and decodes masks and arrays.

        Returns:
            The delta of the task.

        Raises:
            InputError: If the content is damaged, does not fit the header, or does not fit into
                memory.
        """
        with self.container.source.open() as file:
            self.container.check_version(file)
            self.container.verify(file)
            try:
                arrays = self._read_arrays(file)
                masks = self._read_masks(file)
            except MemoryError as error:
                raise InputError(
                    f"{self.name}: its arrays and masks do not fit into memory; use a machine "
                    "with more of it."
                ) from error
            self.container.check_version(file)
        return make_delta(masks, arrays)

    def _read_arrays(self, file: BinaryIO) -> dict[str, dict[str, Any]]:
        start = len(self.container.head)
        arrays: dict[str, dict[str, Any]] = {}
        for prefix, leaves in self.declared.arrays.items():
            for path, spec in leaves.items():
                try:
                    array = read_tensor(file, start, spec)
                except ValueError as error:
                    raise damaged(self.name, str(error)) from error
                if not all(finite_blocks(array)):
                    raise InputError(
                        f"{self.name}: {prefix}/{path} has numbers that are infinite or NaN; train "
                        "again with a smaller rate."
                    )
                arrays.setdefault(prefix, {})[path] = array
        return arrays

    def _read_masks(self, file: BinaryIO) -> dict[str, PackedMask]:
        if not self.declared.masks:
            return {}
        start, length = self._masks_place(file)
        file.seek(start)
        masks = decode_stream(file, length, self.declared.masks, name=self.name)
        for path, count in self.declared.counts.items():
            if (zeros := zeros_in(masks[path])) != count.zeros:
                raise damaged(
                    self.name, f"{path} has {zeros:,} zeros, its header says {count.zeros:,}"
                )
        return masks

    def _masks_place(self, file: BinaryIO) -> tuple[int, int]:
        spec = self.container.tensors[MASKS]
        return len(self.container.head) + spec.start, spec.end - spec.start


def read_task_header(path: Path, base: Mapping[str, HasShape] | None = None) -> TaskHeader:
    """Reads and checks the header of a task file.

    Args:
        path: The file.
        base: Leaves of the base by path, with which shapes are compared; leaves that the task
            replaces, such as the head, may be missing.

    Returns:
        The header, from which the content can be read.

    Raises:
        InputError: If the file is missing, damaged, of an unknown format, or declares invalid
            values.

    Example:
        >>> read_task_header(trained / "task.safetensors").meta["task"]["labels"]
        ['negative', 'positive']
    """
    return parse_source(file_source(path), base)


def parse_source(source: Source, base: Mapping[str, HasShape] | None = None) -> TaskHeader:
    """Reads and checks the header of any source, as `read_task_header` does for a path."""
    container = read_container_header(source)
    if container.size <= _VERIFIED_FIRST:
        with source.open() as file:
            container.check_version(file)
            container.verify(file)
    header = parse_header(container.header, container.tensors, source.name)
    task = TaskHeader(*header, container)
    _check_masks_tensor(task)
    if base is not None:
        _check_shapes(task, base)
    return task


def parse_bytes(payload: bytes, name: str) -> TaskHeader:
    """Reads and checks the header of bytes in memory."""
    return parse_source(bytes_source(payload, name))


def parse_header(
    header: Mapping[str, Any], tensors: Mapping[str, Any], name: str
) -> tuple[dict[str, Any], Declared, int]:
    """Checks the JSON values of a file against limits, each other and its tensors."""
    format_ = check_format(header, name)
    declared = check_entries(header.get("entries"), tensors, name, counted=format_ > 1)
    meta = {key: value for key, value in header.items() if key not in RESERVED}
    check_header(header, name)
    return meta, declared, header.get("digest_format", format_)


RESERVED = frozenset({"checksum", "format", "digest_format", "entries"})
"""Keys of the header that the writer fills in."""


def _check_masks_tensor(task: TaskHeader) -> None:
    spec = task.container.tensors.get(MASKS)
    if spec is None:
        return
    if spec.dtype != "uint8" or len(spec.shape) != 1:
        raise damaged(task.name, f"its masks are {spec.dtype} {spec.shape}, expected uint8")
    if spec.size > task.declared.raw_bytes:
        raise InputError(
            f"{task.name}: expected at most {task.declared.raw_bytes:,} bytes for these masks, got "
            f"{spec.size:,}; damaged, or of another model."
        )


def _check_shapes(task: TaskHeader, base: Mapping[str, HasShape]) -> None:
    for path, shape in task.shapes():
        if path in base and tuple(base[path].shape) != shape:
            raise InputError(
                f"{task.name} does not fit the base: {path}: expected shape "
                f"{tuple(base[path].shape)}, got {shape}."
            )
        if path not in base and path not in task.replaced:
            raise InputError(f"{task.name} does not fit the base: {path}: it has no such leaf.")
