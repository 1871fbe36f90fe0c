"""The tensors of a task file and what the header says of each: written, and read with distrust."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from maskjax.errors import InputError
from maskjax.masking import PackedMask, packed_size

ARRAY_SORTS = ("weight", "lora_a", "lora_b")
MAX_WEIGHTS = 2**32
"""Masked weights of one file, all told: reading may take half a gigabyte, never more."""

Tensors = dict[str, np.ndarray]
Entries = dict[str, dict[str, Any]]
Parts = tuple[dict[str, PackedMask], dict[str, dict[str, np.ndarray]], dict[str, str]]
"""Masks, arrays and digests, as in `TaskFile`."""


def encode_entries(
    masks: Mapping[str, PackedMask],
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    digests: Mapping[str, str],
) -> tuple[Tensors, Entries]:
    """Codes a task into tensors and their entries in the header.

    Args:
        masks: Packed masks by path.
        arrays: `{sort: {path: array}}`.
        digests: Of the base's leaves, by path.

    Returns:
        Tensors, and an entry for each of them, by name.
    """
    tensors: Tensors = {}
    entries: Entries = {}
    for path, mask in masks.items():
        tensors[f"mask/{path}"] = mask.bits
        entries[f"mask/{path}"] = {"shape": list(mask.shape), "encoding": "raw"}
    for sort, leaves in arrays.items():
        for path, leaf in leaves.items():
            tensors[f"{sort}/{path}"] = leaf
            entries[f"{sort}/{path}"] = {"shape": list(leaf.shape), "encoding": leaf.dtype.name}
    for name, entry in entries.items():
        sort, path = name.split("/", 1)
        if path in digests and sort in ("mask", "lora_a"):
            entry["digest"] = digests[path]
    return tensors, entries


def decode_entries(tensors: Mapping[str, np.ndarray], entries: Any, name: str) -> Parts:
    """Reads what `encode_entries` wrote, and refuses everything else.

    Args:
        tensors: Tensors by name.
        entries: The header's value of that key.
        name: What errors call the file.

    Returns:
        Masks, arrays and digests.

    Raises:
        InputError: With everything that is missing, unknown or misshapen.
    """
    problems = list(_problems(tensors, entries))
    if problems:
        raise InputError(f"{name}: tensors and header do not fit: {'; '.join(problems)}.")
    masks: dict[str, PackedMask] = {}
    arrays: dict[str, dict[str, np.ndarray]] = {}
    digests: dict[str, str] = {}
    for full, entry in entries.items():
        sort, path = full.split("/", 1)
        if sort == "mask":
            masks[path] = PackedMask(tensors[full], tuple(entry["shape"]))
        else:
            arrays.setdefault(sort, {})[path] = tensors[full]
        if "digest" in entry:
            digests[path] = entry["digest"]
    return masks, arrays, digests


def _problems(tensors: Mapping[str, np.ndarray], entries: Any) -> Iterator[str]:
    if not isinstance(entries, Mapping):
        yield "the header has no entries"
        return
    yield from (f"{name}: in the header only" for name in sorted(entries.keys() - tensors.keys()))
    yield from (f"{name}: not in the header" for name in sorted(tensors.keys() - entries.keys()))
    total = 0
    for name in sorted(entries.keys() & tensors.keys()):
        found = list(_problems_of_entry(name, entries[name], tensors[name]))
        yield from found
        total += 0 if found or not name.startswith("mask/") else math.prod(entries[name]["shape"])
    if total > MAX_WEIGHTS:
        yield f"{total:,} masked weights, more than {MAX_WEIGHTS:,}"
    firsts = {n.removeprefix("lora_a/") for n in entries if n.startswith("lora_a/")}
    seconds = {n.removeprefix("lora_b/") for n in entries if n.startswith("lora_b/")}
    yield from (f"{path}: only one factor of two" for path in sorted(firsts ^ seconds))


def _problems_of_entry(name: str, entry: Any, tensor: np.ndarray) -> Iterator[str]:
    sort = name.partition("/")[0]
    shape = entry.get("shape") if isinstance(entry, Mapping) else None
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        yield f"{name}: expected an entry with a shape"
    elif not isinstance(entry.get("digest", ""), str):
        yield f"{name}: expected a digest in text"
    elif sort == "mask":
        yield from _problems_of_mask(name, entry, tensor)
    elif sort not in ARRAY_SORTS:
        yield f"{name}: expected mask, {', '.join(ARRAY_SORTS)} before the first slash"
    elif (list(tensor.shape), tensor.dtype.name) != (shape, entry.get("encoding")):
        yield f"{name}: is not of the shape and dtype in the header"


def _problems_of_mask(name: str, entry: Mapping[str, Any], tensor: np.ndarray) -> Iterator[str]:
    if entry.get("encoding") != "raw":
        yield f"{name}: unknown encoding {entry.get('encoding')!r}"
    elif tensor.dtype != np.uint8 or tensor.shape != (packed_size(tuple(entry["shape"])),):
        yield f"{name}: has not the bytes of a mask of its shape"
