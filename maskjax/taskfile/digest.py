"""Digests of the base's tensors, which identify the base that a task was learned on.

A digest is the start of a SHA-256 over a tensor's shape and its values, row-major, little-endian,
in the layout of maskjax (kernels are `[in, out]`), so that it does not depend on the checkpoint's
file, dtype or framework. Values are hashed as float32, or as float64 if float32 cannot represent
all of them. Only arrays of floating-point numbers have a digest.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from maskjax.masking.distinct import once_per_array

DIGITS = 16
"""Hexadecimal digits of a digest; 64 bits, which detect mix-ups and not forgeries."""
DIGEST_FORMAT = 2
"""Format 1 hashed every leaf as float32, integers and booleans included."""


def digest_leaf(leaf: np.ndarray) -> str:
    """The digest of one tensor.

    Example:
        >>> digest_leaf(np.ones((2, 2), np.float32)) == digest_leaf(np.ones((2, 2), np.float16))
        True
    """
    if leaf.dtype.itemsize > 4 and not _fits_float32(leaf):
        return _digest(leaf, "<f8")
    return _digest(leaf, "<f4")


def digest_leaves(leaves: Mapping[str, Any], digest_format: int = DIGEST_FORMAT) -> dict[str, str]:
    """Digests of leaves."""
    if digest_format == 1:
        numbers = {path: leaf for path, leaf in leaves.items() if _is_number(leaf)}
        return {path: _digest(np.asarray(leaf), "<f4") for path, leaf in numbers.items()}
    digest = once_per_array(lambda leaf: digest_leaf(np.asarray(leaf)))
    return {path: digest(leaf) for path, leaf in leaves.items() if is_float(leaf)}


def digest_all(digests: Mapping[str, str]) -> str:
    """The digest of a tree: over the sorted lines `path digest`."""
    lines = "".join(f"{path} {digest}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]


class BaseDigests:
    """The digests of one base in each format, computed at their first use.

    Args:
        leaves: Leaves of the base, by path.
    """

    def __init__(self, leaves: Mapping[str, Any]) -> None:
        self._leaves = leaves
        self._by_format: dict[int, dict[str, str]] = {}

    def for_format(self, digest_format: int) -> dict[str, str]:
        """`digest_leaves` of the base."""
        if digest_format not in self._by_format:
            self._by_format[digest_format] = digest_leaves(self._leaves, digest_format)
        return self._by_format[digest_format]


def is_float(leaf: Any) -> bool:
    """Whether a leaf is an array of floating-point numbers, bfloat16 and its like included."""
    return hasattr(leaf, "shape") and jnp.issubdtype(leaf.dtype, jnp.floating)


def _is_number(leaf: Any) -> bool:
    if isinstance(leaf, bool | int | float) or is_float(leaf):
        return True
    return hasattr(leaf, "shape") and getattr(leaf.dtype, "kind", "") in tuple("biufc")


def _fits_float32(leaf: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        rounded = leaf.astype(np.float32)
    return np.array_equal(rounded.astype(leaf.dtype), leaf, equal_nan=True)


def _digest(leaf: np.ndarray, dtype: str) -> str:
    digest = hashlib.sha256(",".join(map(str, leaf.shape)).encode() + b"\0")
    digest.update(np.ascontiguousarray(leaf, dtype).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:DIGITS]
