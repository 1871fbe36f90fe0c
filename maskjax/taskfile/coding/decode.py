"""From a payload to packed masks. The payload may be hostile; the shapes are the caller's."""

import math
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packing import PackedMask, packed_size
from maskjax.taskfile.coding.layout import from_table, table_shape
from maskjax.taskfile.coding.model import Model, byte_classes, row_order
from maskjax.taskfile.coding.rans import Decoder
from maskjax.taskfile.coding.record import HEAD, Encoding, Record, RecordReader
from maskjax.taskfile.coding.start import initial_mask, is_well_formed

LONGEST_LANE = 1 << 16
"""Symbols per lane at most: four times what the encoder makes; bounds the work per byte."""
_MOST_WEIGHTS = 1 << 34
"""The words of one Philox stream."""


class _Payload(NamedTuple):
    records: dict[str, Record]
    raw: dict[str, np.ndarray]
    states: np.ndarray
    words: np.ndarray


def decode_masks(
    payload: np.ndarray, shapes: Mapping[str, tuple[int, ...]], *, name: str = "masks"
) -> dict[str, PackedMask]:
    """Reads what `encode_masks` wrote, never holding more than a byte per eight weights.

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
    for path, shape in shapes.items():
        if min(shape, default=0) < 0 or math.prod(shape) > _MOST_WEIGHTS:
            raise InputError(f"{name}, {path}: no mask has the shape {shape}; damaged.")
    parts = _split(payload, shapes, name)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Random starts are made while the main thread decodes what differs from them.
        initial = {
            path: pool.submit(_initial, record, shapes[path])
            for path, record in parts.records.items()
            if record.encoding is not Encoding.RAW
        }
        masks = {path: PackedMask(bits, shapes[path]) for path, bits in parts.raw.items()}
        masks |= _decode(parts, shapes, initial, name)
    for path, mask in masks.items():
        if not is_well_formed(mask):
            raise InputError(f"{name}, {path}: keeps weights that do not exist; damaged.")
    return {path: masks[path] for path in shapes}


def read_encodings(
    payload: np.ndarray, shapes: Mapping[str, tuple[int, ...]], *, name: str = "masks"
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
    records = _split(payload, shapes, name).records
    return {path: records[path].encoding for path in shapes}


def _split(payload: np.ndarray, shapes: Mapping[str, tuple[int, ...]], name: str) -> _Payload:
    if payload.dtype != np.uint8 or payload.ndim != 1:
        raise InputError(f"{name}: expected a row of uint8, got {payload.dtype} {payload.shape}.")
    payload = np.ascontiguousarray(payload)
    reader = RecordReader(payload.data, name)
    lanes, words = reader.unpack(HEAD)
    records = {path: reader.read(path) for path in sorted(shapes)}
    plain = [path for path in records if records[path].encoding is Encoding.RAW]
    sizes = [packed_size(shapes[path]) for path in plain]
    expected = reader.position + sum(sizes) + 8 * lanes + 4 * words
    if len(payload) != expected:
        raise InputError(
            f"{name}: expected {expected} bytes for these shapes, got {len(payload)}; damaged, or "
            "of another model."
        )
    ends = reader.position + np.cumsum([0, *sizes])
    raw = {path: payload[ends[i] : ends[i + 1]].copy() for i, path in enumerate(plain)}
    coded = payload[ends[-1] :]
    states, stream = coded[: 8 * lanes], coded[8 * lanes :]
    return _Payload(records, raw, states.copy().view("<u8"), stream.copy().view("<u4"))


def _initial(record: Record, shape: tuple[int, ...]) -> PackedMask:
    return PackedMask.ones(shape) if record.start is None else initial_mask(record.start, shape)


def _decode(
    parts: _Payload,
    shapes: Mapping[str, tuple[int, ...]],
    initial: dict[str, Future[PackedMask]],
    name: str,
) -> dict[str, PackedMask]:
    """The masks that are not raw: their initial masks, changed where the stream says so."""
    coded = [path for path in initial if parts.records[path].is_coded]
    tables = {path: table_shape(shapes[path]) for path in coded}
    try:
        events = _decode_events(parts, tables)
    except ValueError as error:
        raise InputError(f"{name}: {error}; damaged, get it again.") from error
    masks = {}
    for path, future in initial.items():
        mask = masks[path] = future.result()
        if path in events:
            size = len(mask.bits)
            np.bitwise_xor(mask.bits, events[path][:size], out=mask.bits)
            if events.pop(path)[size:].any():
                raise InputError(f"{name}, {path}: changes weights that do not exist; damaged.")
    return masks


def _decode_events(parts: _Payload, tables: Mapping[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    """Packed events, row-major, of all matrices that have some."""
    sizes = [rows * columns // 8 for rows, columns in tables.values()]
    lanes = len(parts.states)
    if not all(sizes) or sum(sizes) > LONGEST_LANE * lanes or lanes > sum(sizes):
        raise ValueError(f"{sum(sizes)} bytes do not belong on {lanes} lanes")
    decoder = Decoder(parts.states, parts.words)
    models = _decode_models(parts.records, tables, decoder)
    ends = np.cumsum([0, *sizes])
    classes = np.empty(ends[-1], np.uint8)
    for path, first, end in zip(tables, ends[:-1], ends[1:], strict=True):
        classes[first:end] = byte_classes(models[path], tables[path]).ravel()
    decoded = decoder.pull(classes)
    if not decoder.is_done():
        raise ValueError("something is left over at the end")
    return {
        path: from_table(decoded[first:end].reshape(-1, columns), row_order(models[path]))
        for (path, (_, columns)), first, end in zip(
            tables.items(), ends[:-1], ends[1:], strict=True
        )
    }


def _decode_models(
    records: Mapping[str, Record], tables: Mapping[str, tuple[int, int]], decoder: Decoder
) -> dict[str, Model]:
    with_offsets = [path for path in tables if records[path].stride]
    counts = [count for path in with_offsets for count in tables[path]]
    lines = [(records[path].row_class, records[path].column_class) for path in with_offsets]
    classes = np.repeat(np.array(lines, np.uint8).ravel(), counts)
    pieces = iter(np.split(decoder.pull(classes), np.cumsum(counts)))
    return {
        path: Model(record.base, record.stride, next(pieces), next(pieces))
        if (record := records[path]).stride
        else Model(record.base)
        for path in tables
    }
