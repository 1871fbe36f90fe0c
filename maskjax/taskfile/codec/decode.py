"""From a payload to packed masks. The payload may be hostile; the shapes are the caller's."""

import io
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packed.packing import PackedMask, packed_size
from maskjax.taskfile.codec.density_model import Model, byte_classes, row_order
from maskjax.taskfile.codec.header import (
    LONGEST_LANE,
    MOST_LANES,
    MOST_OFFSETS,
    Encoding,
    Record,
)
from maskjax.taskfile.codec.initial_mask import initial_mask, is_well_formed
from maskjax.taskfile.codec.layout import from_table, table_shape
from maskjax.taskfile.codec.rans import Decoder
from maskjax.taskfile.codec.stream import WordReader, read_array, read_records

_MOST_WEIGHTS = 1 << 34
"""The words of one Philox stream."""
_CHUNK = 1 << 18
"""Bytes of events that are decoded at a time."""

Shapes = Mapping[str, tuple[int, ...]]
Masks = dict[str, PackedMask]


def decode_masks(payload: np.ndarray, shapes: Shapes, *, name: str = "masks") -> Masks:
    """Reads what `encode_masks` wrote.

    Args:
        payload: uint8.
        shapes: `{path: shape}` of the masks. What is allocated follows from them, so they should
            have been compared with the model.
        name: What to call the payload in errors, for example the path of its file.

    Returns:
        `{path: mask}`, in the order of `shapes`.

    Raises:
        InputError: If the payload is damaged, or is not one of masks of these shapes.

    Example:
        >>> payload = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 255], np.uint8)
        >>> decode_masks(payload, {"kernel": (2, 4)})["kernel"].bits.tolist()
        [255]
    """
    return decode_stream(_stream_of(payload, name), len(payload), shapes, name=name)


def read_encodings(
    payload: np.ndarray, shapes: Shapes, *, name: str = "masks"
) -> dict[str, Encoding]:
    """Which encoding each mask of a payload has.

    Args:
        payload: uint8.
        shapes: `{path: shape}` of the masks.
        name: What to call the payload in errors.

    Returns:
        `{path: encoding}`.

    Raises:
        InputError: If the payload is damaged.
    """
    records = read_records(_stream_of(payload, name), len(payload), shapes, name)[0]
    return {path: records[path].encoding for path in shapes}


def decode_stream(stream: BinaryIO, length: int, shapes: Shapes, *, name: str) -> Masks:
    """Reads what `encode_masks` wrote, holding the masks and little else.

    Args:
        stream: At the start of the payload.
        length: Bytes of the payload.
        shapes: As for `decode_masks`.
        name: What to call the payload in errors.

    Returns:
        `{path: mask}`, in the order of `shapes`.

    Raises:
        InputError: If the payload is damaged, or is not one of masks of these shapes.
    """
    for path, shape in shapes.items():
        if min(shape, default=0) < 0 or math.prod(shape) > _MOST_WEIGHTS:
            raise InputError(f"{name}, {path}: no mask has the shape {shape}; damaged.")
    records, lanes, words = read_records(stream, length, shapes, name)
    coded = [path for path, record in records.items() if record.is_coded]
    tables = {path: table_shape(shapes[path]) for path in coded}
    try:
        _check_work(records, tables, lanes)
        masks = _read_raw(stream, records, shapes)
        decoder = Decoder(read_array(stream, lanes, "<u8"), WordReader(stream, words).take)
        models = _decode_models(records, tables, decoder)
        decoder.start()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            # Random starts are made while this thread decodes what differs from them.
            starts = {
                path: pool.submit(_initial, record, shapes[path])
                for path, record in records.items()
                if record.encoding is not Encoding.RAW
            }
            for path in coded:
                mask = starts[path].result()
                where = f"{name}, {path}"
                _change_mask(mask, tables[path], models.pop(path), decoder, where)
            masks |= {path: start.result() for path, start in starts.items()}
        if not decoder.is_done():
            raise ValueError("something is left over at the end")
    except ValueError as error:
        raise InputError(f"{name}: {error}; damaged, get it again.") from error
    for path, mask in masks.items():
        if not is_well_formed(mask):
            raise InputError(f"{name}, {path}: keeps weights that do not exist; damaged.")
    return {path: masks[path] for path in shapes}


def _stream_of(payload: np.ndarray, name: str) -> BinaryIO:
    if payload.dtype != np.uint8 or payload.ndim != 1:
        raise InputError(f"{name}: expected a row of uint8, got {payload.dtype} {payload.shape}.")
    return io.BytesIO(payload.tobytes())


def _check_work(
    records: Mapping[str, Record], tables: Mapping[str, tuple[int, int]], lanes: int
) -> None:
    """Refuses what no encoder makes and what would take a decoder long: see `encode_masks`."""
    sizes = [rows * columns // 8 for rows, columns in tables.values()]
    least = -(-sum(sizes) // LONGEST_LANE)
    most = min(sum(sizes), max(MOST_LANES, least))
    if not all(sizes) or not least <= lanes <= most:
        raise ValueError(f"{sum(sizes)} bytes do not belong on {lanes} lanes")
    offsets = sum(sum(table) for path, table in tables.items() if records[path].stride)
    if offsets > MOST_OFFSETS:
        raise ValueError(f"{offsets:,} offsets, more than {MOST_OFFSETS:,}")


def _read_raw(stream: BinaryIO, records: Mapping[str, Record], shapes: Shapes) -> Masks:
    plain = [path for path, record in records.items() if record.encoding is Encoding.RAW]
    return {
        path: PackedMask(read_array(stream, packed_size(shapes[path]), "u1"), shapes[path])
        for path in plain
    }


def _initial(record: Record, shape: tuple[int, ...]) -> PackedMask:
    return PackedMask.ones(shape) if record.start is None else initial_mask(record.start, shape)


def _decode_models(
    records: Mapping[str, Record], tables: Mapping[str, tuple[int, int]], decoder: Decoder
) -> dict[str, Model]:
    """The models of all coded matrices, whose offsets are the first sequence."""
    models = {}
    for path, (rows, columns) in tables.items():
        record = records[path]
        if record.stride:
            lines = ((rows, record.row_class), (columns, record.column_class))
            offsets = [_decode_line(count, class_, decoder) for count, class_ in lines]
            models[path] = Model(record.base, record.stride, *offsets)
        else:
            models[path] = Model(record.base)
    return models


def _decode_line(count: int, class_: int, decoder: Decoder) -> np.ndarray:
    offsets = np.empty(count, np.uint8)
    for first in range(0, count, _CHUNK):
        part = offsets[first : first + _CHUNK]
        part[:] = decoder.pull(np.full(len(part), class_, np.uint8))
    return offsets


def _change_mask(
    mask: PackedMask, table: tuple[int, int], model: Model, decoder: Decoder, where: str
) -> None:
    """Flips the bits of a mask that differ from those it starts with."""
    width = table[1] // 8
    lines = mask.bits.reshape(-1, width)
    order = row_order(model)
    for groups, columns in _stretches(table):
        classes = byte_classes(model, order, groups, columns)
        symbols = decoder.pull(classes.ravel())
        if not symbols.any():
            continue
        events = from_table(symbols.reshape(classes.shape))
        first, last = 8 * groups[0], 8 * groups[1]
        rows = np.arange(first, last) if order is None else order.rows(first, last)
        # Only tables of a byte per row are padded at their end.
        inside = rows < len(lines)
        if events[~inside].any():
            raise InputError(f"{where}: changes weights that do not exist; damaged.")
        place = slice(columns[0] // 8, columns[1] // 8)
        lines[rows[inside], place] ^= events[inside]


def _stretches(table: tuple[int, int]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """First and last groups of eight rows and columns of the pieces that are decoded at a time."""
    groups, columns = table[0] // 8, table[1]
    height = max(1, _CHUNK // columns)
    width = columns if columns <= _CHUNK else _CHUNK
    for first in range(0, groups, height):
        for left in range(0, columns, width):
            yield (first, min(first + height, groups)), (left, min(left + width, columns))
