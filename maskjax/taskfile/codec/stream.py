"""Sequential readers for the sections of a payload, which is never copied as a whole."""

from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packed.packing import packed_size
from maskjax.taskfile.codec.header import HEAD, MAX_RECORD_BYTES, Encoding, Record, RecordReader

_CHUNK = 1 << 16
"""Words that are read at a time."""


def read_records(
    stream: BinaryIO, length: int, shapes: Mapping[str, tuple[int, ...]], name: str
) -> tuple[dict[str, Record], int, int]:
    """Reads the records of a payload, and leaves the stream where the raw bits begin.

    Args:
        stream: At the start of the payload.
        length: Bytes of the payload.
        shapes: `{path: shape}` of the masks.
        name: The name of the payload in errors.

    Returns:
        Records in the order of their paths, the number of lanes and the number of words.

    Raises:
        InputError: If a record is damaged, or if the payload is of another length.
    """
    origin = stream.tell()
    reader = RecordReader(
        memoryview(stream.read(min(length, HEAD.size + MAX_RECORD_BYTES * len(shapes)))), name
    )
    lanes, words = reader.unpack(HEAD)
    records = {path: reader.read(path) for path in sorted(shapes)}
    raw_paths = [path for path in records if records[path].encoding is Encoding.RAW]
    raw_bytes = sum(packed_size(shapes[path]) for path in raw_paths)
    expected = reader.position + raw_bytes + 8 * lanes + 4 * words
    if length != expected:
        raise InputError(
            f"{name}: expected {expected} bytes for these shapes, got {length}; damaged, or of "
            "another model."
        )
    stream.seek(origin + reader.position)
    return records, lanes, words


def read_array(stream: BinaryIO, count: int, dtype: str) -> np.ndarray:
    """Reads numbers into an array; fewer if the stream ends."""
    array = np.empty(count, dtype)
    view = array.view(np.uint8).data
    read = 0
    while size := stream.readinto(view[read:]):  # pyright: ignore[reportAttributeAccessIssue]
        read += size
    return array[: read // array.itemsize]


class WordReader:
    """Reads the words of a payload in chunks for a decoder."""

    def __init__(self, stream: BinaryIO, count: int) -> None:
        self._stream = stream
        self._remaining = count
        self._buffer = np.empty(0, np.uint32)

    def take(self, count: int) -> np.ndarray:
        """The next words; fewer if they end."""
        if count > len(self._buffer):
            num_words = min(max(count - len(self._buffer), _CHUNK), self._remaining)
            self._remaining -= num_words
            words = read_array(self._stream, num_words, "<u4")
            self._buffer = np.concatenate([self._buffer, words])
        words, self._buffer = self._buffer[:count], self._buffer[count:]
        return words
