"""The header of a payload: the number of lanes and words, and a short record per matrix."""

import struct
from enum import IntEnum
from typing import NamedTuple

from maskjax.errors import InputError
from maskjax.masking.packed.philox import RandomMaskSpec
from maskjax.taskfile.codec.tables import DENSITIES, GEOMETRIC


class Encoding(IntEnum):
    """The encoding of a matrix: packed bits, entropy-coded, or flips of a random mask."""

    RAW = 0
    ENTROPY = 1
    FLIPS = 2


NO_EVENTS = 255
"""The base of a matrix that is all ones, or equal to its random mask; its record ends here."""

MAX_LANE_SYMBOLS = 1 << 14
"""The maximum number of symbols per lane, which bounds the steps of a decoder."""
MAX_LANES = 4096
"""The maximum number of lanes, unless they would have too many symbols."""
MAX_OFFSETS = 1 << 26
"""The maximum number of row and column offsets of all matrices that a decoder holds."""
MAX_RECORD_BYTES = 17

HEAD = struct.Struct("<II")
_MODEL = struct.Struct("<BB")
_OFFSETS = struct.Struct("<BB")
_START = struct.Struct("<III")


class Record(NamedTuple):
    """The header's record of one matrix."""

    encoding: Encoding
    base: int = 0  # the density class, or `NO_EVENTS`; 0 for raw matrices
    stride: int = 0  # density classes per unit of an offset; 0 without offsets
    row_class: int = 0  # the class of the row offsets; 0 without offsets
    column_class: int = 0  # the class of the column offsets; 0 without offsets
    initial: RandomMaskSpec | None = None  # the random mask whose flips are coded, else None

    @property
    def is_coded(self) -> bool:
        """Whether the matrix has symbols in the coded stream."""
        return self.encoding is not Encoding.RAW and self.base != NO_EVENTS


def write_record(record: Record) -> bytes:
    """Encodes a record.

    Example:
        >>> write_record(Record(Encoding.ENTROPY, base=50)).hex()
        '013200'
    """
    payload = bytes([record.encoding])
    if record.initial is not None:
        payload += _START.pack(*record.initial.key, record.initial.cutoff)
    if record.encoding is Encoding.RAW:
        return payload
    if record.base == NO_EVENTS:
        return payload + bytes([NO_EVENTS])
    payload += _MODEL.pack(record.base, record.stride)
    return payload + (
        _OFFSETS.pack(record.row_class, record.column_class) if record.stride else b""
    )


class RecordReader:
    """Reads records in sequence."""

    def __init__(self, payload: memoryview, name: str) -> None:
        self._payload = payload
        self._name = name
        self.position = 0

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """Reads the integers of a layout."""
        if self.position + layout.size > len(self._payload):
            raise InputError(f"{self._name}: ends within its records; damaged, get it again.")
        values = layout.unpack_from(self._payload, self.position)
        self.position += layout.size
        return values

    def read(self, leaf: str) -> Record:
        """Reads the record of a leaf."""
        (code,) = self.unpack(_BYTE)
        if code not in tuple(Encoding):
            raise InputError(
                f"{self._name}, {leaf}: encoding {code}, and this maskjax reads 0 to "
                f"{max(Encoding)}; upgrade maskjax, or the file is damaged."
            )
        initial = None
        if code == Encoding.FLIPS:
            *key, cutoff = self.unpack(_START)
            initial = RandomMaskSpec((key[0], key[1]), cutoff)
        if code == Encoding.RAW:
            return Record(Encoding.RAW)
        return self._read_model(leaf, Encoding(code), initial)

    def _read_model(self, leaf: str, encoding: Encoding, initial: RandomMaskSpec | None) -> Record:
        (base,) = self.unpack(_BYTE)
        if base == NO_EVENTS:
            return Record(encoding, base, initial=initial)
        (stride,) = self.unpack(_BYTE)
        rows, columns = self.unpack(_OFFSETS) if stride else (0, 0)
        offsets = range(GEOMETRIC, GEOMETRIC + DENSITIES)
        if base >= DENSITIES or (stride and not (rows in offsets and columns in offsets)):
            raise InputError(
                f"{self._name}, {leaf}: classes {base}, {rows}, {columns} do not exist; damaged, "
                "get it again."
            )
        return Record(encoding, base, stride, rows, columns, initial)


_BYTE = struct.Struct("<B")
