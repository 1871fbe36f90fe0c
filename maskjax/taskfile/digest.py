"""Digests of the base's tensors: how a task file knows the base it was learned on.

A digest is the start of a SHA-256 over a tensor's shape and its float32 values, row-major,
little-endian, in the layout of maskjax (kernels are `[in, out]`), so that it does not depend on
the checkpoint's file, dtype or framework.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

DIGITS = 16
"""Hexadecimal digits of a digest; 64 bits, against mix-ups and not against forgers."""


def digest_leaf(leaf: np.ndarray) -> str:
    """The digest of one tensor.

    Args:
        leaf: Any shape and float dtype.

    Returns:
        `DIGITS` hexadecimal digits.

    Example:
        >>> digest_leaf(np.ones((2, 2), np.float32)) == digest_leaf(np.ones((2, 2), np.float16))
        True
    """
    values = np.ascontiguousarray(leaf, "<f4")
    shape = ",".join(map(str, leaf.shape)).encode()
    return hashlib.sha256(shape + b"\0" + values.tobytes()).hexdigest()[:DIGITS]


def digest_leaves(leaves: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Digests of leaves.

    Args:
        leaves: Leaves by path.

    Returns:
        `{path: digest}`.
    """
    return {path: digest_leaf(np.asarray(leaf)) for path, leaf in leaves.items()}


def digest_all(digests: Mapping[str, str]) -> str:
    """One digest of many: over the sorted lines `path digest`.

    Args:
        digests: Digests by path.

    Returns:
        `DIGITS` hexadecimal digits.
    """
    lines = "".join(f"{path} {digest}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]
