"""The tensors of a task file and their entries in the header, which readers do not trust.

The tensor `masks` holds all coded masks. The name of another one is a prefix and the path of its
leaf, such as `weight/classifier/kernel`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from maskjax.adaptation import Delta, LowRank, Mask, Weight
from maskjax.errors import InputError
from maskjax.masking import Count
from maskjax.masking.packed import PackedMask, RandomMaskSpec, packed_size
from maskjax.taskfile.codec import encode_masks, zeros_in
from maskjax.taskfile.fields import list_problems, preview
from maskjax.taskfile.limits import MAX_ENTRIES, MAX_NUMBERS, MAX_TEXT, MAX_WEIGHTS
from maskjax.taskfile.schema import DIGEST
from maskjax.taskfile.specs import TensorSpec, is_shape

MASKS = "masks"
TENSORS: dict[type, dict[str, str]] = {
    Weight: {"weight": "value"},
    LowRank: {"lora_a": "a", "lora_b": "b"},
}
"""The tensors of an operation other than a mask, by the name of its field."""
PREFIXES = tuple(prefix for fields in TENSORS.values() for prefix in fields)
HAS_DIGEST = ("mask", "lora_a")
"""Entries that carry the digest of the base's leaf."""
DTYPES = ("float32", "float16", "bfloat16")

Tensors = dict[str, np.ndarray]
Entries = dict[str, dict[str, Any]]
Shape = tuple[int, ...]


class Content(NamedTuple):
    """The content of a task file besides its metadata."""

    delta: Delta  # NumPy arrays and `PackedMask` objects
    # The digest of the base's leaf below each mask and low-rank product, by path.
    digests: dict[str, str]

    @property
    def masks(self) -> dict[str, PackedMask]:
        """The masks by path."""
        return self.delta.masks

    def arrays(self) -> Iterator[tuple[str, str, np.ndarray]]:
        """The prefix, path and array of every tensor other than the masks."""
        for operation_type, fields in TENSORS.items():
            operations = self.delta.of_type(operation_type)
            for prefix, field in fields.items():
                for path, operation in operations.items():
                    yield prefix, path, getattr(operation, field)


class Declared(NamedTuple):
    """The entries of a header after their checks."""

    masks: dict[str, Shape]  # shapes by path
    counts: dict[str, Count]  # zeros and sizes of the masks by path; empty in files of format 1
    # `{prefix: {path: tensor}}`, for tensors called `<prefix>/<path>`.
    arrays: dict[str, dict[str, TensorSpec]]
    digests: dict[str, str]  # as in `Content`

    @property
    def raw_bytes(self) -> int:
        """The bytes of the masks without compression, which are an upper bound."""
        return 8 + sum(1 + packed_size(shape) for shape in self.masks.values())


def pack(delta: Delta) -> Delta:
    """Converts a delta to NumPy arrays and masks at one bit per weight."""
    masks = {
        path: mask if isinstance(mask, PackedMask) else PackedMask.of(mask)
        for path, mask in delta.masks.items()
    }
    return jax.tree.map(np.asarray, delta.without(Mask)) | Delta.of(masks=masks)


def make_delta(
    masks: Mapping[str, PackedMask], arrays: Mapping[str, Mapping[str, np.ndarray]]
) -> Delta:
    """Makes a delta from masks by path, and from arrays by prefix and path."""
    delta = Delta()
    for operation_type, fields in TENSORS.items():
        leaves = [arrays.get(prefix, {}) for prefix in fields]
        for path in leaves[0]:
            delta |= Delta({path: (operation_type(*(by_path[path] for by_path in leaves)),)})
    return delta | Delta.of(masks=masks)


def declare_entries(content: Content) -> tuple[dict[str, TensorSpec], Entries]:
    """Declares the tensors and entries of a task before anything is encoded."""
    # The size of the coded masks is not known yet.
    specs = {MASKS: TensorSpec("uint8", (0,))} if content.masks else {}
    entries: Entries = {}
    for path, mask in content.masks.items():
        entries[f"mask/{path}"] = {"shape": list(mask.shape), "zeros": zeros_in(mask)}
    for prefix, path, leaf in content.arrays():
        specs[f"{prefix}/{path}"] = TensorSpec(leaf.dtype.name, leaf.shape)
        entries[f"{prefix}/{path}"] = {"shape": list(leaf.shape), "dtype": leaf.dtype.name}
    for name, entry in entries.items():
        prefix, path = name.split("/", 1)
        if path in content.digests and prefix in HAS_DIGEST:
            entry["digest"] = content.digests[path]
    return specs, entries


def encode_tensors(content: Content, initial_masks: Mapping[str, RandomMaskSpec]) -> Tensors:
    """Encodes a task as tensors by name."""
    tensors: Tensors = {MASKS: encode_masks(content.masks, initial_masks)} if content.masks else {}
    return tensors | {f"{prefix}/{path}": leaf for prefix, path, leaf in content.arrays()}


def check_entries(
    entries: Any, tensors: Mapping[str, TensorSpec], name: str, *, counted: bool
) -> Declared:
    """Checks entries against limits, each other and the tensors of the file."""
    problems = list_problems(_problems(entries, tensors, counted))
    if not problems:
        declared = _read(entries, tensors, counted)
        problems = list_problems(_problems_together(declared))
        if not problems:
            return declared
    raise InputError(f"{name}: tensors and header do not fit: {problems}.")


def _read(entries: Entries, tensors: Mapping[str, TensorSpec], counted: bool) -> Declared:
    declared = Declared({}, {}, {}, {})
    for name, entry in entries.items():
        prefix, path = name.split("/", 1)
        if prefix == "mask":
            shape = declared.masks[path] = tuple(entry["shape"])
            if counted:
                declared.counts[path] = Count(entry["zeros"], math.prod(shape))
        else:
            declared.arrays.setdefault(prefix, {})[path] = tensors[name]
        if "digest" in entry:
            declared.digests[path] = entry["digest"]
    return declared


def _problems(entries: Any, tensors: Mapping[str, TensorSpec], counted: bool) -> Iterator[str]:
    if not isinstance(entries, Mapping):
        yield "the header has no entries"
        return
    if len(entries) > MAX_ENTRIES:
        yield f"{len(entries):,} entries, more than {MAX_ENTRIES:,}"
        return
    masks = {name for name in entries if name.startswith("mask/")}
    expected = (entries.keys() - masks) | ({MASKS} if masks else set())
    for name in sorted(expected - tensors.keys()):
        yield f"{preview(name)}: in the header only"
    for name in sorted(tensors.keys() - expected):
        yield f"{preview(name)}: not in the header"
    for name in sorted(entries):
        yield from _misfits(name, entries[name], tensors.get(name), counted)


def _misfits(name: str, entry: Any, tensor: TensorSpec | None, counted: bool) -> Iterator[str]:
    label, (prefix, _, path) = preview(name), name.partition("/")
    shape: Any = entry.get("shape") if isinstance(entry, Mapping) else None
    if prefix not in ("mask", *PREFIXES) or not path:
        yield f"{label}: expected mask, {', '.join(PREFIXES)} and a path, joined by a slash"
    elif len(path) > MAX_TEXT or not path.isprintable():
        yield f"{label}: expected a path of at most {MAX_TEXT} printable characters"
    elif not is_shape(shape):
        yield f"{label}: expected an entry with a shape"
    elif prefix == "mask":
        yield from _mask_misfits(label, entry, math.prod(shape), counted)
    elif tensor is not None:
        dtype = entry.get("dtype")
        if dtype not in DTYPES or (list(tensor.shape), tensor.dtype) != (shape, dtype):
            actual = f"{tensor.dtype} {list(tensor.shape)}"
            yield (
                f"{label}: is not of the shape and dtype in the header, or none of "
                f"{', '.join(DTYPES)}: {actual}"
            )
    if isinstance(entry, Mapping) and "digest" in entry:
        yield from DIGEST(entry["digest"], f"{label}: digest")


def _mask_misfits(label: str, entry: Mapping[str, Any], size: int, counted: bool) -> Iterator[str]:
    if size > MAX_WEIGHTS:
        yield f"{label}: {size:,} masked weights, more than {MAX_WEIGHTS:,}"
    zeros = entry.get("zeros")
    if counted and (type(zeros) is not int or not 0 <= zeros <= size):
        yield f"{label}: expected 0 to {size:,} zeros, got {preview(zeros)}"


def _problems_together(declared: Declared) -> Iterator[str]:
    masked = sum(math.prod(shape) for shape in declared.masks.values())
    if masked > MAX_WEIGHTS:
        yield f"{masked:,} masked weights, more than {MAX_WEIGHTS:,}"
    numbers = sum(spec.size for leaves in declared.arrays.values() for spec in leaves.values())
    if numbers > MAX_NUMBERS:
        yield f"{numbers:,} numbers in arrays, more than {MAX_NUMBERS:,}"
    yield from _factor_problems(declared)
    shapes: dict[str, Shape] = {}
    for path, shape in changed_shapes(declared.masks, declared.arrays):
        if shapes.setdefault(path, shape) != shape:
            yield f"{preview(path)}: changed as {shapes[path]} and as {shape}"


def _factor_problems(declared: Declared) -> Iterator[str]:
    a_factors, b_factors = (declared.arrays.get(prefix, {}) for prefix in ("lora_a", "lora_b"))
    for path in sorted(a_factors.keys() ^ b_factors.keys()):
        yield f"{preview(path)}: only one factor of two"
    for path in a_factors.keys() & b_factors.keys():
        a, b = a_factors[path].shape, b_factors[path].shape
        if len(a) != 2 or len(b) != 2 or a[1] != b[0]:
            yield f"{preview(path)}: factors of shapes {a} and {b} cannot be multiplied"


def changed_shapes(
    masks: Mapping[str, Shape], arrays: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Shape]]:
    """The path and shape of every changed leaf of the base or the head."""
    yield from masks.items()
    yield from ((path, tuple(leaf.shape)) for path, leaf in arrays.get("weight", {}).items())
    b_factors = arrays.get("lora_b", {})
    for path, a in arrays.get("lora_a", {}).items():
        if path in b_factors:
            yield path, (*a.shape[:1], *b_factors[path].shape[1:])
