"""What a task file declares: read and judged before anything of its content is decoded."""

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
    judge_entries,
    make_delta,
)
from maskjax.taskfile.schema import check_format, check_header
from maskjax.taskfile.source import Source, bytes_source, file_source
from maskjax.taskfile.specs import finite_blocks, read_tensor

_VERIFIED_FIRST = 1 << 23
"""Files up to this many bytes are compared with their checksum before their header is judged, so
that damage is called damage. Reading larger ones costs time that a bad header is not worth."""


class HasShape(Protocol):
    """An array, or what stands for one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...


class TaskHeader(NamedTuple):
    """A task file whose header was judged; masks and arrays are still unread.

    Attributes:
        meta: As in `TaskFile`.
        declared: Masks, arrays and digests, by path.
        digest_format: As in `TaskFile`.
        container: Where the content is.
    """

    meta: dict[str, Any]
    declared: Declared
    digest_format: int
    container: ContainerHeader

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.container.source.name

    @property
    def checksum(self) -> str:
        """That of the file, 64 hexadecimal digits."""
        return self.container.checksum

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the base's leaf below each mask and low-rank product, by path."""
        return self.declared.digests

    @property
    def replaced(self) -> frozenset[str]:
        """Paths of the leaves that the task brings whole, those of the head among them."""
        return frozenset(self.declared.arrays.get("weight", {}))

    @property
    def counts(self) -> dict[str, Count] | None:
        """Zeros and sizes of the masks, as declared; None in files of format 1."""
        declared = self.declared
        return None if declared.masks and not declared.counts else declared.counts

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        """Path and shape of every leaf of the base or the head that is changed."""
        return changed_shapes(self.declared.masks, self.declared.arrays)

    def encodings(self) -> dict[str, Encoding]:
        """How each mask is written, of which no mask is decoded."""
        if not self.declared.masks:
            return {}
        with self.container.source.open() as file:
            self.container.check_version(file)
            start, length = self._masks_place(file)
            file.seek(start)
            records = read_records(file, length, self.declared.masks, self.name)[0]
        return {path: records[path].encoding for path in self.declared.masks}

    def check(self) -> None:
        """Compares the file with its checksum, and decodes nothing.

        Raises:
            InputError: If it was changed.
        """
        with self.container.source.open() as file:
            self.container.check_version(file)
            self.container.verify(file)

    def read_content(self) -> Delta:
        """Reads and decodes masks and arrays.

        Returns:
            What the task adds to its base.

        Raises:
            InputError: If the content is damaged, does not fit the header, or is too large for
                the memory that there is.
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
        for sort, leaves in self.declared.arrays.items():
            for path, spec in leaves.items():
                try:
                    array = read_tensor(file, start, spec)
                except ValueError as error:
                    raise damaged(self.name, str(error)) from error
                if not all(finite_blocks(array)):
                    raise InputError(
                        f"{self.name}: {sort}/{path} has numbers that are infinite or NaN; train "
                        "again with a smaller rate."
                    )
                arrays.setdefault(sort, {})[path] = array
        return arrays

    def _read_masks(self, file: BinaryIO) -> dict[str, PackedMask]:
        if not self.declared.masks:
            return {}
        start, length = self._masks_place(file)
        file.seek(start)
        masks = decode_stream(file, length, self.declared.masks, name=self.name)
        for path, count in self.declared.counts.items():
            if (found := zeros_in(masks[path])) != count.zeros:
                raise damaged(
                    self.name, f"{path} has {found:,} zeros, its header says {count.zeros:,}"
                )
        return masks

    def _masks_place(self, file: BinaryIO) -> tuple[int, int]:
        spec = self.container.tensors[MASKS]
        return len(self.container.head) + spec.start, spec.end - spec.start


def read_task_header(path: Path, base: Mapping[str, HasShape] | None = None) -> TaskHeader:
    """Reads what a task file declares, and judges it.

    Args:
        path: The file.
        base: Leaves of the base by path, with which shapes are compared; what the task replaces
            may be missing among them, as a head is.

    Returns:
        The header, whose content can be read.

    Raises:
        InputError: If the file is missing, damaged, of an unknown format, or declares what it
            must not.
    """
    return judge_source(file_source(path), base)


def judge_source(source: Source, base: Mapping[str, HasShape] | None = None) -> TaskHeader:
    """As `read_task_header`, for bytes from anywhere."""
    container = read_container_header(source)
    if container.size <= _VERIFIED_FIRST:
        with source.open() as file:
            container.check_version(file)
            container.verify(file)
    header = judge_header(container.header, container.tensors, source.name)
    task = TaskHeader(*header, container)
    _check_masks_tensor(task)
    if base is not None:
        _check_shapes(task, base)
    return task


def judge_bytes(payload: bytes, name: str) -> TaskHeader:
    """As `read_task_header`, for bytes in memory."""
    return judge_source(bytes_source(payload, name))


def judge_header(
    header: Mapping[str, Any], tensors: Mapping[str, Any], name: str
) -> tuple[dict[str, Any], Declared, int]:
    """Checks the JSON values of a file against limits, each other and its tensors."""
    format_ = check_format(header, name)
    declared = judge_entries(header.get("entries"), tensors, name, counted=format_ > 1)
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
