"""Comparison of the weights of a state dict with those of its base."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from maskjax.export.state_parts import StateTensor
from maskjax.masking import flatten_with_paths
from maskjax.models import Base


def changed_weights(entries: Mapping[str, StateTensor], base: Base) -> dict[str, np.ndarray]:
    """Finds the weights that differ from the base."""
    base_leaves, changed = flatten_with_paths(base.params), {}
    for path in sorted(entries.keys() & base_leaves.keys()):
        if not _equal(entries[path].read(), np.asarray(base_leaves[path])):
            changed[path] = entries[path].read_weight()
    return changed


def count_removed(entries: Mapping[str, StateTensor], base: Base) -> int:
    """Counts the zeros in matrices whose other weights are all equal to the base."""
    base_leaves, count = flatten_with_paths(base.params), 0
    for path in entries.keys() & base_leaves.keys():
        stored, original = entries[path].read(), np.asarray(base_leaves[path])
        if _equal(stored, np.where(stored == 0, np.float32(0), original)):
            count += int(np.count_nonzero((stored == 0) & (original != 0)))
    return count


def _equal(stored: np.ndarray, base: np.ndarray) -> bool:
    """Whether weights are equal to the base; those of 16 bits to one unit in the last place."""
    if stored.dtype.itemsize > 2:
        return np.array_equal(stored, base)
    limits = jnp.finfo(stored.dtype)
    bound = float(limits.eps) * np.abs(base) + float(limits.smallest_subnormal)
    return bool((np.abs(stored.astype(np.float32) - base) <= bound).all())
