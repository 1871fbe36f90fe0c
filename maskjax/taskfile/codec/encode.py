"""From packed masks to a payload."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from maskjax.masking.packed.packing import PackedMask
from maskjax.masking.packed.philox import RandomMaskSpec
from maskjax.taskfile.codec.header import (
    HEAD,
    LONGEST_LANE,
    MOST_LANES,
    MOST_OFFSETS,
    NO_EVENTS,
    Encoding,
    Record,
    write_record,
)
from maskjax.taskfile.codec.initial_mask import initial_mask, is_well_formed
from maskjax.taskfile.codec.layout import table_shape
from maskjax.taskfile.codec.model_selection import Fit, all_classes, fit
from maskjax.taskfile.codec.rans import Encoder

_BYTES_PER_LANE = 1000
"""A lane costs about six bytes: well under 1 % of what it carries."""


class _Choice(NamedTuple):
    """A matrix in one encoding, and what that costs."""

    record: Record
    bits: float
    raw: np.ndarray
    fit: Fit | None = None


def encode_masks(
    masks: Mapping[str, PackedMask],
    starts: Mapping[str, RandomMaskSpec] | None = None,
    *,
    encodings: tuple[Encoding, ...] = tuple(Encoding),
) -> np.ndarray:
    """Writes masks losslessly, each in the encoding that makes it smallest.

    Args:
        masks: `{path: mask}`; the bits after the last weight of each are zero.
        starts: `{path: start}` of the masks that began as a random one.
        encodings: What to choose from; raw is the last resort even if it is not among them.

    Returns:
        The payload, uint8; `decode_masks` needs it and the shapes.

    Raises:
        ValueError: If a mask has the wrong number of bytes, or ones after its last weight.

    Example:
        >>> mask = PackedMask(np.full(8, 255, np.uint8), (8, 8))
        >>> encode_masks({"kernel": mask}).tobytes().hex()
        '000000000000000001ff'
    """
    starts = starts or {}
    paths = sorted(masks)
    for path in paths:
        if not is_well_formed(masks[path]):
            raise ValueError(f"Expected packed bits of shape {masks[path].shape} for {path}.")

    tables = {path: table_shape(masks[path].shape) for path in paths}
    few = sum(map(sum, tables.values())) <= MOST_OFFSETS

    def choose(path: str) -> _Choice:
        # 64 weights per line keep the offsets of all masks within what a reader takes.
        offsets = few or 64 * sum(tables[path]) <= masks[path].size
        return _choose(masks[path], starts.get(path), encodings, offsets)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        payload = _write(list(pool.map(choose, paths)))
    plain = [_raw(masks[path]) for path in paths]
    # The states of the lanes belong to no matrix; very small files may be smaller without them.
    return min(payload, _write(plain), key=len)


def _choose(
    mask: PackedMask, start: RandomMaskSpec | None, encodings: tuple[Encoding, ...], offsets: bool
) -> _Choice:
    choices = []
    if Encoding.ENTROPY in encodings:
        ones = PackedMask.ones(mask.shape)
        choices.append(_coded(mask, ones, Record(Encoding.ENTROPY), offsets))
    if Encoding.FLIPS in encodings and start is not None:
        initial = initial_mask(start, mask.shape)
        choices.append(_coded(mask, initial, Record(Encoding.FLIPS, start=start), offsets))
    if Encoding.RAW in encodings or not choices:
        choices.append(_raw(mask))
    return min(choices, key=lambda choice: choice.bits)


def _raw(mask: PackedMask) -> _Choice:
    return _Choice(Record(Encoding.RAW), 8 * (1 + len(mask.bits)), mask.bits)


def _coded(mask: PackedMask, initial: PackedMask, record: Record, offsets: bool) -> _Choice:
    """A mask as its difference from another one."""
    events = mask.bits ^ initial.bits
    if not events.any():
        record = record._replace(base=NO_EVENTS)
        return _Choice(record, 8 * len(write_record(record)), events[:0])
    fitted = fit(events, table_shape(mask.shape), offsets=offsets)
    record = record._replace(
        base=fitted.model.base,
        stride=fitted.model.stride,
        row_class=fitted.row_class,
        column_class=fitted.column_class,
    )
    return _Choice(record, 8 * len(write_record(record)) + fitted.bits, events[:0], fitted)


def _write(choices: list[_Choice]) -> np.ndarray:
    fits = [(choice.record, choice.fit) for choice in choices if choice.fit is not None]
    lanes = _lanes(
        sum(fitted.table.size for _, fitted in fits), sum(fitted.bits for _, fitted in fits)
    )
    encoder = Encoder(lanes)
    # The offsets are pushed last, since they are to be decoded first.
    encoder.push(
        *_sequence([(f.table.ravel(), all_classes(f.model, _shape(f)).ravel()) for _, f in fits])
    )
    encoder.push(*_sequence([pair for record, f in fits for pair in _offsets(record, f)]))
    states, words = encoder.finish()
    records = b"".join(write_record(choice.record) for choice in choices)
    parts = [
        np.frombuffer(HEAD.pack(lanes, len(words)) + records, np.uint8),
        *(choice.raw for choice in choices),
        states.astype("<u8").view(np.uint8),
        words.astype("<u4").view(np.uint8),
    ]
    return np.concatenate(parts)


def _lanes(symbols: int, bits: float) -> int:
    if not symbols:
        return 0
    wanted = min(round(bits / 8 / _BYTES_PER_LANE), MOST_LANES)
    return max(wanted, -(-symbols // LONGEST_LANE))


def _shape(fitted: Fit) -> tuple[int, int]:
    return fitted.table.shape[0] * 8, fitted.table.shape[1]


def _offsets(record: Record, fitted: Fit) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row and column offsets with their classes, where there are any."""
    model = fitted.model
    return [
        (model.rows, np.full(len(model.rows), record.row_class, np.uint8)),
        (model.columns, np.full(len(model.columns), record.column_class, np.uint8)),
    ]


def _sequence(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.empty(0, np.uint8)
    return (
        np.concatenate([nothing, *(symbols for symbols, _ in pairs)]),
        np.concatenate([nothing, *(classes for _, classes in pairs)]),
    )
