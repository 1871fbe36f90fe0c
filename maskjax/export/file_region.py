"""Parts of files: bytes that are read with a budget, and arrays that are mapped, not read."""

import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from maskjax.errors import InputError

CHUNK = 1 << 20
"""Bytes that a checksum reads at once."""


class Region(NamedTuple):
    """Bytes of a file.

    Attributes:
        path: The file.
        start: Where they begin.
        size: How many there are.
        checksum: Their CRC-32; None where the file has none.
    """

    path: Path
    start: int
    size: int
    checksum: int | None

    def read(self, most: int) -> bytes:
        """Reads all of them."""
        if self.size > most:
            raise InputError(f"is damaged: it has {self.size:,} bytes where {most:,} are the most")
        self.check()
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)

    def check(self) -> None:
        """Compares them with their checksum, a piece at a time."""
        checksum, left = 0, self.size
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left and (data := file.read(min(left, CHUNK))):
                checksum, left = zlib.crc32(data, checksum), left - len(data)
        if left:
            raise InputError("is damaged or not whole: it ends too early")
        if self.checksum not in (None, checksum):
            raise InputError(
                "is damaged: a part has another checksum; after set_crc32_options(False), "
                "torch.save writes none that is right: then save it again without"
            )

    def map(self) -> np.ndarray:
        """Maps them into memory, where only what is used of them is read."""
        if not self.size:
            return np.zeros(0, np.uint8)
        return np.memmap(self.path, np.uint8, "r", self.start, (self.size,))


class BudgetFile:
    """An open file of which only so many bytes may be read, whatever its content asks for."""

    def __init__(self, file: BinaryIO, size: int, budget: int) -> None:
        self.size = size
        self._file, self._left = file, budget
        self.tell, self.seek = file.tell, file.seek

    def seekable(self) -> bool:
        """As the file."""
        return True

    def read(self, count: int = -1) -> bytes:
        """Reads so many bytes, or what is left of the file."""
        rest = max(0, self.size - self._file.tell())
        data = rest if count < 0 else min(count, rest)
        return self._spend(self._file.read(min(data, self._left + 1)))

    def readline(self) -> bytes:
        """Reads a line, likewise."""
        return self._spend(self._file.readline(self._left + 1))

    def skip(self, count: int) -> bool:
        """Moves on, and says whether so much was left of the file."""
        end = self._file.tell() + count
        self._file.seek(min(end, self.size))
        return end <= self.size

    def _spend(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise InputError("is damaged: there is too much before its tensors")
        return data
