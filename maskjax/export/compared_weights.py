"""Weights of a state dict compared with those of the base that it should have been trained from."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from maskjax.export.state_parts import Entry
from maskjax.masking import flatten_with_paths
from maskjax.models import Base


def changed_weights(entries: Mapping[str, Entry], base: Base) -> dict[str, np.ndarray]:
    """Finds the weights that are not those of the base."""
    ours, changed = flatten_with_paths(base.params), {}
    for path in sorted(entries.keys() & ours.keys()):
        if not _equal(entries[path].read(), np.asarray(ours[path])):
            changed[path] = entries[path].read_weight()
    return changed


def count_removed(entries: Mapping[str, Entry], base: Base) -> int:
    """Counts the zeros in matrices of which all other weights are those of the base."""
    ours, count = flatten_with_paths(base.params), 0
    for path in entries.keys() & ours.keys():
        stored, original = entries[path].read(), np.asarray(ours[path])
        if _equal(stored, np.where(stored == 0, np.float32(0), original)):
            count += int(np.count_nonzero((stored == 0) & (original != 0)))
    return count


def _equal(stored: np.ndarray, ours: np.ndarray) -> bool:
    """Whether weights are ours, to one unit in the last place of 16 bits where they have so few."""
    if stored.dtype.itemsize > 2:
        return np.array_equal(stored, ours)
    limits = jnp.finfo(stored.dtype)
    bound = float(limits.eps) * np.abs(ours) + float(limits.smallest_subnormal)
    return bool((np.abs(stored.astype(np.float32) - ours) <= bound).all())
