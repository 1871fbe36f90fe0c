"""Sources of the bytes of a task file: a file, or memory."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from maskjax.errors import InputError

CHUNK = 1 << 20
"""Bytes that are read at a time."""


class Source(NamedTuple):
    """Bytes that can be read more than once."""

    name: str  # the file, for errors
    open_binary: Callable[[], BinaryIO]  # opens them for reading

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Opens the bytes; errors of the operating system become InputErrors."""
        try:
            with self.open_binary() as file:
                yield file
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read: {error.strerror or error}.") from error


def file_source(path: Path) -> Source:
    """The bytes of a regular file."""
    try:
        is_file = path.is_file()
    except (OSError, ValueError) as error:  # a symlink loop, a null byte in the name
        raise InputError(f"{path}: cannot be read: {error}.") from error
    if not is_file:
        raise InputError(f"{path}: no such task file.")
    return Source(str(path), lambda: path.open("rb"))


def bytes_source(payload: bytes, name: str) -> Source:
    """Bytes in memory, which are not copied."""
    return Source(name, lambda: io.BytesIO(payload))


def version_of(file: BinaryIO) -> tuple[int, ...] | None:
    """A value that changes when an open file is replaced or written to; None in memory."""
    if isinstance(file, io.BytesIO):
        return None
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
