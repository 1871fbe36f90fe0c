"""The container of a task file: safetensors whose metadata is one JSON text with a checksum.

The checksum is the SHA-256 of the whole file with the checksum's own 64 digits set to zeros, so
that it covers every bit of header and payload. The header is read and checked first, since it
decides whether the content is read at all.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from safetensors.numpy import save

from maskjax.errors import InputError
from maskjax.taskfile.limits import MAX_HEADER, MAX_VALUES
from maskjax.taskfile.source import CHUNK, Source, bytes_source, version_of
from maskjax.taskfile.specs import DTYPES, TensorSpec, read_specs, read_tensor

KEY = "maskjax"
"""The only key of the safetensors metadata, since the order of several is not fixed."""
_ZEROS = b"0" * 64
# The JSON text is a string within a JSON header, so its quotes are escaped there; a task whose
# labels hold the same characters has them escaped twice.
_CHECKSUM = re.compile(rb'\\"checksum\\": \\"([0-9a-f]{64})\\"')


class Container(NamedTuple):
    """The content of a container."""

    tensors: dict[str, np.ndarray]  # arrays by name
    header: dict[str, Any]  # JSON values


class ContainerHeader(NamedTuple):
    """The header of a file, whose declared size is that of the file."""

    source: Source  # the source of the bytes
    head: bytes  # the bytes of the safetensors header, with its length
    version: tuple[int, ...] | None  # the value of `version_of` when the header was read
    tensors: dict[str, TensorSpec]  # declared tensors by name
    header: dict[str, Any]  # JSON values
    checksum_span: tuple[int, int]  # the range of the checksum's digits in `head`

    @property
    def checksum(self) -> str:
        """64 hexadecimal digits, which `verify` compares with the content."""
        return self.head[slice(*self.checksum_span)].decode()

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.head) + max((spec.end for spec in self.tensors.values()), default=0)

    def check_version(self, file: BinaryIO) -> None:
        """Raises an InputError if the file is not the one whose header was read."""
        if version_of(file) != self.version:
            raise InputError(f"{self.source.name}: changed while it was read; read it again.")

    def verify(self, file: BinaryIO) -> None:
        """Raises an InputError if the checksum does not fit the content."""
        start, end = self.checksum_span
        digest = hashlib.sha256(self.head[:start])
        digest.update(_ZEROS)
        digest.update(self.head[end:])
        file.seek(len(self.head))
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        if digest.hexdigest() != self.checksum:
            raise damaged(self.source.name, "its checksum does not fit its content")


def pack_container(tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> bytes:
    """The bytes of a file; the same content gives the same bytes."""
    text = json.dumps({"checksum": _ZEROS.decode(), **header}, ensure_ascii=True)
    # safetensors writes the raw memory of an array, whatever its strides.
    dense = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    blank = save(dense, metadata={KEY: text})
    start, end = _find_checksum(blank[: _head_size(blank)])
    return blank[:start] + hashlib.sha256(blank).hexdigest().encode() + blank[end:]


def unpack_container(payload: bytes, name: str | Path) -> Container:
    """Unpacks the bytes of `pack_container`; others are an InputError."""
    source = bytes_source(payload, str(name))
    container = read_container_header(source)
    dtypes = {dtype.name for dtype in DTYPES.values()}
    with source.open() as file:
        container.verify(file)
        if unknown := {spec.dtype for spec in container.tensors.values()} - dtypes:
            raise damaged(name, f"it has tensors of {unknown.pop()}")
        start = len(container.head)
        tensors = {key: read_tensor(file, start, spec) for key, spec in container.tensors.items()}
    return Container(tensors, container.header)


def read_container_header(source: Source) -> ContainerHeader:
    """Reads and checks the header of a file."""
    name = source.name
    with source.open() as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(prefix := file.read(8), "little")
        if len(prefix) < 8 or length > size - 8:
            raise damaged(name, "its header is longer than the file")
        if length > MAX_HEADER:
            raise damaged(name, f"its header has {length:,} bytes, more than {MAX_HEADER:,}")
        head, version = prefix + file.read(length), version_of(file)
    try:
        outer = _parse(head[8:].decode("utf8"))
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"its header is no JSON that can be read ({error})") from error
    metadata = outer.get("__metadata__", {})
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise InputError(f"{name}: a safetensors file, but not a task file of maskjax.")
    try:
        span, specs = _find_checksum(head), read_specs(outer)
        container = ContainerHeader(source, head, version, specs, _parse(text), span)
    except (ValueError, RecursionError) as error:
        raise damaged(name, str(error)) from error
    if container.header.pop("checksum", None) != container.checksum:
        raise damaged(name, "it has no checksum at its place")
    if size != container.size:
        raise damaged(
            name, f"it has {size:,} bytes, its header and checksum are of {container.size:,}"
        )
    return container


def check_header_size(payload: bytes) -> None:
    """Raises a ValueError if the header of a file is larger than readers accept."""
    head = payload[: _head_size(payload)]
    if len(head) - 8 > MAX_HEADER:
        raise ValueError(f"its header has {len(head) - 8:,} bytes, more than {MAX_HEADER:,}")
    _check_values(head.decode("utf8", "replace"))


def damaged(name: str | Path, reason: str) -> InputError:
    """The error of a damaged file."""
    return InputError(
        f"{name}: damaged, not a whole task file: {' '.join(reason.split())}; fetch it again."
    )


def _parse(text: str) -> dict[str, Any]:
    _check_values(text)
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("its header is no JSON object")
    return values


def _check_values(text: str) -> None:
    """Bounds the number of values in a JSON text before it is parsed: values take memory."""
    upper_bound = sum(text.count(sign) for sign in ",[{")
    if upper_bound > MAX_VALUES:
        raise ValueError(f"its header has {upper_bound:,} values, more than {MAX_VALUES:,}")


def _head_size(payload: bytes) -> int:
    return 8 + int.from_bytes(payload[:8], "little")


def _find_checksum(head: bytes) -> tuple[int, int]:
    """The range of the checksum's digits."""
    match = _CHECKSUM.search(head)
    if match is None:
        raise ValueError("it has no checksum")
    return match.span(1)
