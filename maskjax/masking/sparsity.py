"""Sparsity as exact counts of zeros, and as a differentiable fraction."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Count(NamedTuple):
    """Zeros and weights of some masks.

    Attributes:
        zeros: The number of dropped weights.
        total: The number of weights.

    Example:
        >>> Count(1, 4).sparsity
        0.25
    """

    zeros: int
    total: int

    @property
    def sparsity(self) -> float:
        """The fraction of zeros; 0 without weights."""
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


def total_count(counts: Mapping[str, Count]) -> Count:
    """Sums counts.

    Args:
        counts: `{path: count}`.

    Returns:
        The sum.

    Example:
        >>> total_count({"a": Count(1, 2), "b": Count(0, 2)})
        Count(zeros=1, total=4)
    """
    values = counts.values()
    return Count(sum(c.zeros for c in values), sum(c.total for c in values))


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
    # Sums zeros, so that a mask of ones gives exactly 0 and not the rounding of 1 - kept / total.
    zeros = sum((1 - mask.astype(jnp.float32)).sum() for mask in masks.values())
    return jnp.float32(zeros) / sum(mask.size for mask in masks.values())
