"""Regions of files, which are read within a budget or mapped into memory."""

import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from maskjax.errors import InputError

CHUNK = 1 << 20
"""Bytes that a checksum reads at a time."""


class Region(NamedTuple):
    """A range of bytes in a file."""

    path: Path  # the file
    start: int  # the offset of the first byte
    size: int  # the number of bytes
    checksum: int | None  # their CRC-32; None if the file has none

    def read(self, limit: int) -> bytes:
        """Reads the bytes, at most `limit` of them."""
        if self.size > limit:
            raise InputError(f"is damaged: it has {self.size:,} bytes, more than {limit:,}")
        self.check()
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)

    def check(self) -> None:
        """Compares the bytes with their checksum, a chunk at a time."""
        checksum, remaining = 0, self.size
        with self.path.open("rb") as file:
            file.seek(self.start)
            while remaining and (data := file.read(min(remaining, CHUNK))):
                checksum, remaining = zlib.crc32(data, checksum), remaining - len(data)
        if remaining:
            raise InputError("is damaged or not whole: it ends too early")
        if self.checksum not in (None, checksum):
            raise InputError(
                "is damaged: a part has another checksum; set_crc32_options(False) makes torch.save"
                " write wrong ones: then save it again without it"
            )

    def map(self) -> np.ndarray:
        """Maps the bytes into memory, where only those in use are read."""
        if not self.size:
            return np.zeros(0, np.uint8)
        return np.memmap(self.path, np.uint8, "r", self.start, (self.size,))


class BudgetFile:
    """An open file with a limit on the bytes that may be read from it."""

    def __init__(self, file: BinaryIO, size: int, budget: int) -> None:
        self.size = size
        self._file, self._remaining = file, budget
        self.tell, self.seek = file.tell, file.seek

    def seekable(self) -> bool:
        """Whether the file is seekable, which zipfile asks."""
        return True

    def read(self, count: int = -1) -> bytes:
        """Reads `count` bytes, or the rest of the file."""
        available = max(0, self.size - self._file.tell())
        count_left = available if count < 0 else min(count, available)
        return self._spend(self._file.read(min(count_left, self._remaining + 1)))

    def readline(self) -> bytes:
        """Reads a line."""
        return self._spend(self._file.readline(self._remaining + 1))

    def skip(self, count: int) -> bool:
        """Skips bytes; returns whether the file had as many."""
        end = self._file.tell() + count
        self._file.seek(min(end, self.size))
        return end <= self.size

    def _spend(self, data: bytes) -> bytes:
        self._remaining -= len(data)
        if self._remaining < 0:
            raise InputError("is damaged: there is too much before its tensors")
        return data
