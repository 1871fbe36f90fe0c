"""The head of a payload: how many lanes and words there are, and a short record per matrix."""

import struct
from enum import IntEnum
from typing import NamedTuple

from maskjax.errors import InputError
from maskjax.masking.packed.philox import RandomMaskSpec
from maskjax.taskfile.codec.tables import DENSITIES, GEOMETRIC


class Encoding(IntEnum):
    """How a matrix is written."""

    RAW = 0
    ENTROPY = 1
    FLIPS = 2


NO_EVENTS = 255
"""The base of a matrix that is all ones, or exactly its start: nothing else is written of it."""

LONGEST_LANE = 1 << 14
"""Symbols of events per lane at most, which bounds the steps of a decoder."""
MOST_LANES = 4096
"""Lanes that an encoder makes at most, unless their symbols would be too many."""
MOST_OFFSETS = 1 << 26
"""Offsets of rows and columns, of all matrices, that a decoder holds at most."""
LONGEST_RECORD = 17

HEAD = struct.Struct("<II")
_MODEL = struct.Struct("<BB")
_OFFSETS = struct.Struct("<BB")
_START = struct.Struct("<III")


class Record(NamedTuple):
    """What the head says of one matrix.

    Attributes:
        encoding: How it is written.
        base: Its density class, or `NO_EVENTS`; 0 for raw ones.
        stride: Density classes per unit of an offset; 0 where it has none.
        row_class: The class of the row offsets; 0 where it has none.
        column_class: The class of the column offsets; 0 where it has none.
        start: The mask that flips are counted from, else None.
    """

    encoding: Encoding
    base: int = 0
    stride: int = 0
    row_class: int = 0
    column_class: int = 0
    start: RandomMaskSpec | None = None

    @property
    def is_coded(self) -> bool:
        """Whether the matrix has symbols in the coded stream."""
        return self.encoding is not Encoding.RAW and self.base != NO_EVENTS


def write_record(record: Record) -> bytes:
    """A record as bytes.

    Example:
        >>> write_record(Record(Encoding.ENTROPY, base=50)).hex()
        '013200'
    """
    written = bytes([record.encoding])
    if record.start is not None:
        written += _START.pack(*record.start.key, record.start.cutoff)
    if record.encoding is Encoding.RAW:
        return written
    if record.base == NO_EVENTS:
        return written + bytes([NO_EVENTS])
    written += _MODEL.pack(record.base, record.stride)
    return written + (
        _OFFSETS.pack(record.row_class, record.column_class) if record.stride else b""
    )


class RecordReader:
    """Reads records one after the other."""

    def __init__(self, payload: memoryview, name: str) -> None:
        self._payload = payload
        self._name = name
        self.position = 0

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """Reads some integers."""
        if self.position + form.size > len(self._payload):
            raise InputError(f"{self._name}: ends within its records; damaged, get it again.")
        values = form.unpack_from(self._payload, self.position)
        self.position += form.size
        return values

    def read(self, leaf: str) -> Record:
        """Reads the record of a leaf."""
        (code,) = self.unpack(_BYTE)
        if code not in tuple(Encoding):
            raise InputError(
                f"{self._name}, {leaf}: encoding {code}, and this maskjax reads 0 to "
                f"{max(Encoding)}; upgrade maskjax, or the file is damaged."
            )
        start = None
        if code == Encoding.FLIPS:
            *key, cutoff = self.unpack(_START)
            start = RandomMaskSpec((key[0], key[1]), cutoff)
        if code == Encoding.RAW:
            return Record(Encoding.RAW)
        return self._read_model(leaf, Encoding(code), start)

    def _read_model(self, leaf: str, encoding: Encoding, start: RandomMaskSpec | None) -> Record:
        (base,) = self.unpack(_BYTE)
        if base == NO_EVENTS:
            return Record(encoding, base, start=start)
        (stride,) = self.unpack(_BYTE)
        rows, columns = self.unpack(_OFFSETS) if stride else (0, 0)
        offsets = range(GEOMETRIC, GEOMETRIC + DENSITIES)
        if base >= DENSITIES or (stride and not (rows in offsets and columns in offsets)):
            raise InputError(
                f"{self._name}, {leaf}: classes {base}, {rows}, {columns} do not exist; damaged, "
                "get it again."
            )
        return Record(encoding, base, stride, rows, columns, start)


_BYTE = struct.Struct("<B")
