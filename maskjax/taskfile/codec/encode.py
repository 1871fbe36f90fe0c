"""The encoder of masks."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from maskjax.masking.packed.packing import PackedMask
from maskjax.masking.packed.philox import RandomMaskSpec
from maskjax.taskfile.codec.density_fit import FittedModel, all_classes, fit_model
from maskjax.taskfile.codec.header import (
    HEAD,
    MAX_LANE_SYMBOLS,
    MAX_LANES,
    MAX_OFFSETS,
    NO_EVENTS,
    Encoding,
    Record,
    write_record,
)
from maskjax.taskfile.codec.initial_mask import initial_mask, is_well_formed
from maskjax.taskfile.codec.layout import table_shape
from maskjax.taskfile.codec.rans import RansEncoder

_BYTES_PER_LANE = 1000
"""The payload of a lane; a lane costs about six bytes, well under 1 % of it."""


class _Choice(NamedTuple):
    """A matrix in one encoding, and its cost in bits."""

    record: Record
    bits: float
    raw: np.ndarray
    fitted: FittedModel | None = None


def encode_masks(
    masks: Mapping[str, PackedMask],
    initial_masks: Mapping[str, RandomMaskSpec] | None = None,
    *,
    encodings: tuple[Encoding, ...] = tuple(Encoding),
) -> np.ndarray:
    """Encodes masks losslessly, each in the smallest encoding.

    Args:
        masks: `{path: mask}`; the bits after the last weight of each are zero.
        initial_masks: The random masks from which masks were learned, by path.
        encodings: The encodings to choose from; raw is the fallback even if it is not among them.

    Returns:
        The payload, uint8; `decode_masks` needs it and the shapes.

    Raises:
        ValueError: If a mask has the wrong number of bytes, or ones after its last weight.

    Example:
        >>> mask = PackedMask(np.full(8, 255, np.uint8), (8, 8))
        >>> encode_masks({"kernel": mask}).tobytes().hex()
        '000000000000000001ff'
    """
    initial_masks = initial_masks or {}
    paths = sorted(masks)
    for path in paths:
        if not is_well_formed(masks[path]):
            raise ValueError(f"Expected packed bits of shape {masks[path].shape} for {path}.")

    tables = {path: table_shape(masks[path].shape) for path in paths}
    all_fit = sum(map(sum, tables.values())) <= MAX_OFFSETS

    def choose(path: str) -> _Choice:
        # 64 weights per row or column keep the offsets of all masks within a reader's limit.
        offsets = all_fit or 64 * sum(tables[path]) <= masks[path].size
        return _choose(masks[path], initial_masks.get(path), encodings, offsets)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        payload = _write(list(pool.map(choose, paths)))
    raw = [_raw(masks[path]) for path in paths]
    # Very small files may be smaller without the states of the lanes.
    return min(payload, _write(raw), key=len)


def _choose(
    mask: PackedMask, spec: RandomMaskSpec | None, encodings: tuple[Encoding, ...], offsets: bool
) -> _Choice:
    choices = []
    if Encoding.ENTROPY in encodings:
        ones = PackedMask.ones(mask.shape)
        choices.append(_coded(mask, ones, Record(Encoding.ENTROPY), offsets))
    if Encoding.FLIPS in encodings and spec is not None:
        initial = initial_mask(spec, mask.shape)
        choices.append(_coded(mask, initial, Record(Encoding.FLIPS, initial=spec), offsets))
    if Encoding.RAW in encodings or not choices:
        choices.append(_raw(mask))
    return min(choices, key=lambda choice: choice.bits)


def _raw(mask: PackedMask) -> _Choice:
    return _Choice(Record(Encoding.RAW), 8 * (1 + len(mask.bits)), mask.bits)


def _coded(mask: PackedMask, initial: PackedMask, record: Record, offsets: bool) -> _Choice:
    """Codes a mask by its differences from another one."""
    events = mask.bits ^ initial.bits
    if not events.any():
        record = record._replace(base=NO_EVENTS)
        return _Choice(record, 8 * len(write_record(record)), events[:0])
    fitted = fit_model(events, table_shape(mask.shape), offsets=offsets)
    record = record._replace(
        base=fitted.model.base,
        stride=fitted.model.stride,
        row_class=fitted.row_class,
        column_class=fitted.column_class,
    )
    return _Choice(record, 8 * len(write_record(record)) + fitted.bits, events[:0], fitted)


def _write(choices: list[_Choice]) -> np.ndarray:
    fits = [(choice.record, choice.fitted) for choice in choices if choice.fitted is not None]
    lanes = _lanes(
        sum(fitted.table.size for _, fitted in fits), sum(fitted.bits for _, fitted in fits)
    )
    encoder = RansEncoder(lanes)
    # The offsets are pushed last because they are decoded first.
    encoder.push(
        *_sequence([(f.table.ravel(), all_classes(f.model, _shape(f)).ravel()) for _, f in fits])
    )
    encoder.push(*_sequence([pair for record, f in fits for pair in _offsets(record, f)]))
    states, words = encoder.finish()
    records = b"".join(write_record(choice.record) for choice in choices)
    sections = [
        np.frombuffer(HEAD.pack(lanes, len(words)) + records, np.uint8),
        *(choice.raw for choice in choices),
        states.astype("<u8").view(np.uint8),
        words.astype("<u4").view(np.uint8),
    ]
    return np.concatenate(sections)


def _lanes(symbols: int, bits: float) -> int:
    if not symbols:
        return 0
    lanes = min(round(bits / 8 / _BYTES_PER_LANE), MAX_LANES)
    return max(lanes, -(-symbols // MAX_LANE_SYMBOLS))


def _shape(fitted: FittedModel) -> tuple[int, int]:
    return fitted.table.shape[0] * 8, fitted.table.shape[1]


def _offsets(record: Record, fitted: FittedModel) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row and column offsets with their classes; empty arrays without offsets."""
    model = fitted.model
    return [
        (model.rows, np.full(len(model.rows), record.row_class, np.uint8)),
        (model.columns, np.full(len(model.columns), record.column_class, np.uint8)),
    ]


def _sequence(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    empty = np.empty(0, np.uint8)
    return (
        np.concatenate([empty, *(symbols for symbols, _ in pairs)]),
        np.concatenate([empty, *(classes for _, classes in pairs)]),
    )
