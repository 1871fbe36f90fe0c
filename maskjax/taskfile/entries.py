"""The tensors of a task file and what the header says of each: written, and read with distrust.

The tensor `masks` holds all coded masks. The others are called after their sort and the path of
the leaf that they are for, such as `weight/classifier/kernel`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.masking import PackedMask, Start
from maskjax.taskfile.coding import decode_masks, encode_masks

MASKS = "masks"
SORTS = ("weight", "lora_a", "lora_b")
DTYPES = ("float32", "float16", "bfloat16")
MAX_WEIGHTS = 2**32
"""Masked weights of one file, all told: reading may take half a gigabyte, never more."""

Tensors = dict[str, np.ndarray]
Entries = dict[str, dict[str, Any]]


class Parts(NamedTuple):
    """What a task file holds beside its meta data.

    Attributes:
        masks: Packed masks by path.
        arrays: `{sort: {path: array}}` for the sorts `weight`, `lora_a` and `lora_b`.
        digests: Of the base's leaf below each mask and factor, by path.
    """

    masks: dict[str, PackedMask]
    arrays: dict[str, dict[str, np.ndarray]]
    digests: dict[str, str]


def encode_entries(parts: Parts, starts: Mapping[str, Start]) -> tuple[Tensors, Entries]:
    """Codes a task into tensors and their entries in the header.

    Args:
        parts: Masks, arrays, digests.
        starts: The random starts that masks began with, by path, where there are such.

    Returns:
        Tensors by name, and entries by `<sort>/<path>`, where the sort of a mask is `mask`.
    """
    tensors: Tensors = {}
    entries: Entries = {}
    if parts.masks:
        tensors[MASKS] = encode_masks(parts.masks, starts)
    for path, mask in parts.masks.items():
        entries[f"mask/{path}"] = {"shape": list(mask.shape)}
    for sort, leaves in parts.arrays.items():
        for path, leaf in leaves.items():
            tensors[f"{sort}/{path}"] = leaf
            entries[f"{sort}/{path}"] = {"shape": list(leaf.shape), "dtype": leaf.dtype.name}
    for name, entry in entries.items():
        sort, path = name.split("/", 1)
        if path in parts.digests and sort in ("mask", "lora_a"):
            entry["digest"] = parts.digests[path]
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
    shapes: dict[str, tuple[int, ...]] = {}
    arrays: dict[str, dict[str, np.ndarray]] = {}
    digests: dict[str, str] = {}
    for full, entry in entries.items():
        sort, path = full.split("/", 1)
        if sort == "mask":
            shapes[path] = tuple(entry["shape"])
        else:
            arrays.setdefault(sort, {})[path] = tensors[full]
        if "digest" in entry:
            digests[path] = entry["digest"]
    masks = decode_masks(tensors[MASKS], shapes, name=name) if shapes else {}
    return Parts(masks, arrays, digests)


def _problems(tensors: Mapping[str, np.ndarray], entries: Any) -> Iterator[str]:
    if not isinstance(entries, Mapping):
        yield "the header has no entries"
        return
    masks = {name for name in entries if name.startswith("mask/")}
    expected = (entries.keys() - masks) | ({MASKS} if masks else set())
    yield from (f"{name}: in the header only" for name in sorted(expected - tensors.keys()))
    yield from (f"{name}: not in the header" for name in sorted(tensors.keys() - expected))
    found = [problem for name in sorted(entries) for problem in _misfits(name, entries, tensors)]
    yield from found
    total = 0 if found else sum(math.prod(entries[name]["shape"]) for name in masks)
    if total > MAX_WEIGHTS:
        yield f"{total:,} masked weights, more than {MAX_WEIGHTS:,}"
    firsts, seconds = (
        {name.removeprefix(sort) for name in entries if name.startswith(sort)}
        for sort in ("lora_a/", "lora_b/")
    )
    yield from (f"{path}: only one factor of two" for path in sorted(firsts ^ seconds))


def _misfits(
    name: str, entries: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> Iterator[str]:
    entry, (sort, _, path) = entries[name], name.partition("/")
    shape = entry.get("shape") if isinstance(entry, Mapping) else None
    if sort not in ("mask", *SORTS) or not path:
        yield f"{name}: expected mask, {', '.join(SORTS)} before the first slash"
    elif not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        yield f"{name}: expected an entry with a shape"
    elif not isinstance(entry.get("digest", ""), str):
        yield f"{name}: expected a digest in text"
    elif sort != "mask" and name in tensors:
        dtype, found = entry.get("dtype"), tensors[name]
        if dtype not in DTYPES or (list(found.shape), found.dtype.name) != (shape, dtype):
            yield f"{name}: is not of the shape and dtype in the header"
