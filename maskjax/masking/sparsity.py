"""Counting what masks drop: exact integers per leaf, kind, block and in all."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking.kinds import block_of, kind_of
from maskjax.masking.packed.packing import PackedMask


class Count(NamedTuple):
    """Zeros and weights of some masks.

    Attributes:
        zeros: How many weights are dropped.
        total: How many weights there are.

    Example:
        >>> Count(1, 4).sparsity
        0.25
    """

    zeros: int
    total: int

    @property
    def sparsity(self) -> float:
        """Fraction of zeros; 0 where there are no weights."""
        return self.zeros / self.total if self.total else 0.0


def count_zeros(masks: Mapping[str, jax.Array | np.ndarray]) -> dict[str, Count]:
    """Counts the zeros of each mask.

    Args:
        masks: `{path: mask}`, bool or 0/1.

    Returns:
        `{path: count}`.

    Example:
        >>> count_zeros({"kernel": np.array([[1, 0], [1, 1]], bool)})
        {'kernel': Count(zeros=1, total=4)}
    """
    return {
        path: Count(mask.size - int(np.count_nonzero(mask)), mask.size)
        for path, mask in masks.items()
    }


def count_packed(masks: Mapping[str, PackedMask]) -> dict[str, Count]:
    """Counts the zeros of packed masks, without unpacking them.

    Args:
        masks: `{path: packed mask}`.

    Returns:
        `{path: count}`.

    Example:
        >>> count_packed({"kernel": PackedMask.of(np.array([True, False]))})
        {'kernel': Count(zeros=1, total=2)}
    """
    return {path: Count(mask.zeros, mask.size) for path, mask in masks.items()}


def total_count(counts: Mapping[str, Count]) -> Count:
    """Adds counts up.

    Args:
        counts: `{path: count}`.

    Returns:
        The sum.

    Example:
        >>> total_count({"a": Count(1, 2), "b": Count(0, 2)})
        Count(zeros=1, total=4)
    """
    return _add(list(counts.values()))


def count_by_kind(counts: Mapping[str, Count]) -> dict[str, Count]:
    """Adds counts up by kind of matrix; leaves of no known kind are under `other`.

    Args:
        counts: `{canonical path: count}`.

    Returns:
        `{kind: count}`, in the order of first appearance.

    Example:
        >>> count_by_kind({"pooler/dense/kernel": Count(1, 2), "x/kernel": Count(0, 2)})
        {'pooler': Count(zeros=1, total=2), 'other': Count(zeros=0, total=2)}
    """
    return _group(counts, {path: kind_of(path) or "other" for path in counts})


def count_by_block(counts: Mapping[str, Count]) -> dict[str, Count]:
    """Adds counts up by transformer block; leaves outside the blocks are under `other`.

    Args:
        counts: `{canonical path: count}`.

    Returns:
        `{block number as text: count}`, in the order of first appearance.

    Example:
        >>> count_by_block({"encoder/layer/2/output/dense/kernel": Count(1, 2)})
        {'2': Count(zeros=1, total=2)}
    """
    blocks = {path: block_of(path) for path in counts}
    return _group(counts, {p: "other" if b is None else str(b) for p, b in blocks.items()})


def mean_sparsity(masks: Mapping[str, jax.Array]) -> jax.Array:
    """The fraction of zeros over all masks, differentiable through straight-through masks.

    Args:
        masks: `{path: mask}`, float 0/1 or bool, any shapes.

    Returns:
        A float32 scalar; usable inside `jax.jit`.

    Raises:
        ValueError: If there are no masks.

    Example:
        >>> float(mean_sparsity({"a": jnp.array([1.0, 0.0]), "b": jnp.ones(2)}))
        0.25
    """
    if not masks:
        raise ValueError("Expected at least one mask, got none.")
    # Zeros, not ones: where there are none, this is 0 and not the rounding of 1 - kept / total.
    zeros = sum((1 - mask.astype(jnp.float32)).sum() for mask in masks.values())
    return jnp.float32(zeros) / sum(mask.size for mask in masks.values())


def _group(counts: Mapping[str, Count], groups: Mapping[str, str]) -> dict[str, Count]:
    names = dict.fromkeys(groups.values())
    return {n: _add([c for path, c in counts.items() if groups[path] == n]) for n in names}


def _add(counts: list[Count]) -> Count:
    return Count(sum(c.zeros for c in counts), sum(c.total for c in counts))
