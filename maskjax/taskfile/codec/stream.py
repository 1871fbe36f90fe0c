"""The parts of a payload, read one after the other: what was decoded needs no second copy."""

from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packed.packing import packed_size
from maskjax.taskfile.codec.header import HEAD, LONGEST_RECORD, Encoding, Record, RecordReader

_PIECE = 1 << 16
"""Words that are read at a time."""


def read_records(
    stream: BinaryIO, length: int, shapes: Mapping[str, tuple[int, ...]], name: str
) -> tuple[dict[str, Record], int, int]:
    """Reads what a payload says of its masks, and leaves the stream where the raw bits begin.

    Args:
        stream: At the start of the payload.
        length: Bytes of the payload.
        shapes: `{path: shape}` of the masks.
        name: What to call the payload in errors.

    Returns:
        Records in the order of their paths, and how many lanes and words there are.

    Raises:
        InputError: If a record is damaged, or if the payload is of another length.
    """
    place = stream.tell()
    reader = RecordReader(
        memoryview(stream.read(min(length, HEAD.size + LONGEST_RECORD * len(shapes)))), name
    )
    lanes, words = reader.unpack(HEAD)
    records = {path: reader.read(path) for path in sorted(shapes)}
    plain = [path for path in records if records[path].encoding is Encoding.RAW]
    raw = sum(packed_size(shapes[path]) for path in plain)
    expected = reader.position + raw + 8 * lanes + 4 * words
    if length != expected:
        raise InputError(
            f"{name}: expected {expected} bytes for these shapes, got {length}; damaged, or of "
            "another model."
        )
    stream.seek(place + reader.position)
    return records, lanes, words


def read_array(stream: BinaryIO, count: int, dtype: str) -> np.ndarray:
    """Reads numbers into an array; fewer where the stream ends."""
    array = np.empty(count, dtype)
    view = array.view(np.uint8).data
    read = 0
    while got := stream.readinto(view[read:]):  # pyright: ignore[reportAttributeAccessIssue]
        read += got
    return array[: read // array.itemsize]


class WordReader:
    """Gives the words of a payload as a decoder asks for them."""

    def __init__(self, stream: BinaryIO, count: int) -> None:
        self._stream = stream
        self._left = count
        self._piece = np.empty(0, np.uint32)

    def take(self, count: int) -> np.ndarray:
        """The next words; fewer where they end."""
        if count > len(self._piece):
            wanted = min(max(count - len(self._piece), _PIECE), self._left)
            self._left -= wanted
            self._piece = np.concatenate([self._piece, read_array(self._stream, wanted, "<u4")])
        taken, self._piece = self._piece[:count], self._piece[count:]
        return taken
