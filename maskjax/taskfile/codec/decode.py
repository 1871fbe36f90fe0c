"""The decoder of masks. The payload is not trusted; the shapes are the caller's."""

import io
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packed.packing import PackedMask, packed_size
from maskjax.taskfile.codec.density_model import DensityModel, byte_classes, row_order
from maskjax.taskfile.codec.header import (
    MAX_LANE_SYMBOLS,
    MAX_LANES,
    MAX_OFFSETS,
    Encoding,
    Record,
)
from maskjax.taskfile.codec.initial_mask import initial_mask, is_well_formed
from maskjax.taskfile.codec.layout import from_table, table_shape
from maskjax.taskfile.codec.rans import RansDecoder
from maskjax.taskfile.codec.stream import WordReader, read_array, read_records

_MAX_WEIGHTS = 1 << 34
"""The number of words in one Philox stream."""
_CHUNK = 1 << 18
"""Bytes of events that are decoded at a time."""

Shapes = Mapping[str, tuple[int, ...]]
PackedMasks = dict[str, PackedMask]


def decode_masks(payload: np.ndarray, shapes: Shapes, *, name: str = "masks") -> PackedMasks:
    """Decodes the payload of `encode_masks`.

    Args:
        payload: uint8.
        shapes: `{path: shape}` of the masks. They decide how much is allocated, so check them
            against the model first.
        name: The name of the payload in errors, for example the path of its file.

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
    """Reads the encoding of each mask of a payload.

    Args:
        payload: uint8.
        shapes: `{path: shape}` of the masks.
        name: The name of the payload in errors.

    Returns:
        `{path: encoding}`.

    Raises:
        InputError: If the payload is damaged.
    """
    records = read_records(_stream_of(payload, name), len(payload), shapes, name)[0]
    return {path: records[path].encoding for path in shapes}


def decode_stream(stream: BinaryIO, length: int, shapes: Shapes, *, name: str) -> PackedMasks:
    """Decodes masks from a stream, without a copy of the payload in memory.

    Args:
        stream: At the start of the payload.
        length: Bytes of the payload.
        shapes: As for `decode_masks`.
        name: The name of the payload in errors.

    Returns:
        `{path: mask}`, in the order of `shapes`.

    Raises:
        InputError: If the payload is damaged, or is not one of masks of these shapes.
    """
    for path, shape in shapes.items():
        if min(shape, default=0) < 0 or math.prod(shape) > _MAX_WEIGHTS:
            raise InputError(f"{name}, {path}: no mask has the shape {shape}; damaged.")
    records, lanes, words = read_records(stream, length, shapes, name)
    coded = [path for path, record in records.items() if record.is_coded]
    tables = {path: table_shape(shapes[path]) for path in coded}
    try:
        _check_work(records, tables, lanes)
        masks = _read_raw(stream, records, shapes)
        decoder = RansDecoder(read_array(stream, lanes, "<u8"), WordReader(stream, words).take)
        models = _decode_models(records, tables, decoder)
        decoder.restart()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            # Random masks are made in the pool while this thread decodes the flips.
            initial_masks = {
                path: pool.submit(_initial, record, shapes[path])
                for path, record in records.items()
                if record.encoding is not Encoding.RAW
            }
            for path in coded:
                mask = initial_masks[path].result()
                location = f"{name}, {path}"
                _change_mask(mask, tables[path], models.pop(path), decoder, location)
            masks |= {path: pending.result() for path, pending in initial_masks.items()}
        if not decoder.is_done():
            raise ValueError("it does not end with its last symbol")
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
    """Rejects payloads that no encoder makes, or that would take a decoder long."""
    sizes = [rows * columns // 8 for rows, columns in tables.values()]
    min_lanes = -(-sum(sizes) // MAX_LANE_SYMBOLS)
    max_lanes = min(sum(sizes), max(MAX_LANES, min_lanes))
    if not all(sizes) or not min_lanes <= lanes <= max_lanes:
        raise ValueError(f"{sum(sizes)} bytes do not belong on {lanes} lanes")
    offsets = sum(sum(table) for path, table in tables.items() if records[path].stride)
    if offsets > MAX_OFFSETS:
        raise ValueError(f"{offsets:,} offsets, more than {MAX_OFFSETS:,}")


def _read_raw(stream: BinaryIO, records: Mapping[str, Record], shapes: Shapes) -> PackedMasks:
    raw_paths = [path for path, record in records.items() if record.encoding is Encoding.RAW]
    return {
        path: PackedMask(read_array(stream, packed_size(shapes[path]), "u1"), shapes[path])
        for path in raw_paths
    }


def _initial(record: Record, shape: tuple[int, ...]) -> PackedMask:
    return PackedMask.ones(shape) if record.initial is None else initial_mask(record.initial, shape)


def _decode_models(
    records: Mapping[str, Record], tables: Mapping[str, tuple[int, int]], decoder: RansDecoder
) -> dict[str, DensityModel]:
    """The models of all coded matrices; their offsets are the first coded sequence."""
    models = {}
    for path, (rows, columns) in tables.items():
        record = records[path]
        if record.stride:
            lines = ((rows, record.row_class), (columns, record.column_class))
            offsets = [_decode_line(count, class_, decoder) for count, class_ in lines]
            models[path] = DensityModel(record.base, record.stride, *offsets)
        else:
            models[path] = DensityModel(record.base)
    return models


def _decode_line(count: int, class_: int, decoder: RansDecoder) -> np.ndarray:
    offsets = np.empty(count, np.uint8)
    for first in range(0, count, _CHUNK):
        chunk = offsets[first : first + _CHUNK]
        chunk[:] = decoder.pop(np.full(len(chunk), class_, np.uint8))
    return offsets


def _change_mask(
    mask: PackedMask,
    table: tuple[int, int],
    model: DensityModel,
    decoder: RansDecoder,
    location: str,
) -> None:
    """Decodes the flips of a mask and applies them in place."""
    width = table[1] // 8
    lines = mask.bits.reshape(-1, width)
    order = row_order(model)
    for groups, columns in _stretches(table):
        classes = byte_classes(model, order, groups, columns)
        symbols = decoder.pop(classes.ravel())
        if not symbols.any():
            continue
        events = from_table(symbols.reshape(classes.shape))
        first, last = 8 * groups[0], 8 * groups[1]
        rows = np.arange(first, last) if order is None else order.rows(first, last)
        # Only tables of a byte per row are padded at their end.
        inside = rows < len(lines)
        if events[~inside].any():
            raise InputError(f"{location}: changes weights that do not exist; damaged.")
        byte_range = slice(columns[0] // 8, columns[1] // 8)
        lines[rows[inside], byte_range] ^= events[inside]


def _stretches(table: tuple[int, int]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Splits a table into ranges of groups of eight rows and of columns, decoded one at a time."""
    groups, columns = table[0] // 8, table[1]
    height = max(1, _CHUNK // columns)
    width = columns if columns <= _CHUNK else _CHUNK
    for first in range(0, groups, height):
        for column in range(0, columns, width):
            yield (first, min(first + height, groups)), (column, min(column + width, columns))
