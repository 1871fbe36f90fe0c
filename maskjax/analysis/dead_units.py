"""What masks dropped of heads, neurons, rows and columns, and how far magnitude explains it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maskjax.analysis.heatmap import place_of

if TYPE_CHECKING:
    from maskjax.masking.packed import PackedMask

HEAD_TYPES = ("query", "key", "value", "position_query", "position_key", "attention_output")
"""Matrix types that hold the weights of attention heads."""
NEURON_AXES = {"intermediate": 1, "gate": 1, "output": 0}
"""Matrix types that hold the weights of neurons, and the axis that the neurons lie along."""


class Overlap(NamedTuple):
    """The zeros of a mask against those of pruning by magnitude.

    Example:
        >>> Overlap(shared=1, zeros=2, total=8).ratio
        2.0
    """

    shared: int  # zeros that are among the smallest |W|, of which there are as many as zeros
    zeros: int
    total: int  # all weights

    @property
    def share(self) -> float:
        """The share of the zeros that magnitude would drop too; NaN without zeros."""
        return self.shared / self.zeros if self.zeros else float("nan")

    @property
    def chance(self) -> float:
        """The share that zeros drawn at random would have: the sparsity."""
        return self.zeros / self.total

    @property
    def ratio(self) -> float:
        """How many times as often as by chance; NaN without zeros."""
        return self.share / self.chance if self.zeros else float("nan")


def magnitude_overlap(mask: np.ndarray, weight: np.ndarray) -> Overlap:
    """Counts the zeros that pruning the smallest weights of the matrix would set too.

    Example:
        >>> mask = np.array([False, False, True, True])
        >>> magnitude_overlap(mask, np.array([0.1, -3.0, 0.2, 2.0]))
        Overlap(shared=1, zeros=2, total=4)
    """
    dropped = ~mask.ravel()
    zeros = int(dropped.sum())
    order = np.argsort(np.abs(np.asarray(weight, np.float32)).ravel(), kind="stable")
    return Overlap(int(dropped[order[:zeros]].sum()), zeros, mask.size)


def zeros_along(mask: np.ndarray, axis: int) -> np.ndarray:
    """The share of zeros of each row (axis 0) or column (axis 1) of a matrix.

    Example:
        >>> zeros_along(np.array([[True, False], [True, False]]), axis=1).tolist()
        [0.0, 1.0]
    """
    return 1 - mask.mean(axis=1 - axis)


def spread_along(mask: np.ndarray, axis: int) -> float:
    """How uneven zeros lie: the deviation of the shares of rows or columns, against chance."""
    share = 1 - mask.mean()
    if share in (0, 1):
        return float("nan")
    chance = (share * (1 - share) / mask.shape[1 - axis]) ** 0.5
    return float(zeros_along(mask, axis).std() / chance)


def head_shares(
    masks: Mapping[str, "PackedMask"], num_heads: int, num_kv_heads: int
) -> dict[str, np.ndarray]:
    """The share of zeros of each attention head, over those of its matrices that are masked.

    Heads that share keys and values have the same zeros in these.
    """
    import jax.numpy as jnp

    from maskjax.masking import per_head

    zeros: dict[str, np.ndarray] = {}
    sizes: dict[str, int] = {}
    for path, mask in masks.items():
        block, matrix_type = place_of(path)
        if matrix_type in HEAD_TYPES and len(mask.shape) == 2:
            heads = num_kv_heads if matrix_type in ("key", "value") else num_heads
            kept = per_head(heads).reduce(path, jnp.asarray(mask.unpack(), jnp.float32))
            kept = np.asarray(kept, np.float64).repeat(num_heads // heads)
            zeros[block] = zeros.get(block, 0) + (1 - kept) * mask.size
            sizes[block] = sizes.get(block, 0) + mask.size
    return {block: count / sizes[block] for block, count in zeros.items()}


class Neurons(NamedTuple):
    """The neurons of a block: what one dropped and what chance would."""

    # The share of zeros among the weights into and out of each neuron, `[neurons]` float64.
    shares: np.ndarray
    deviation: float  # the standard deviation of `shares` if zeros were independent in each matrix


def neuron_shares(masks: Mapping[str, "PackedMask"]) -> dict[str, Neurons]:
    """The share of zeros of each neuron, over those of its matrices that are masked."""
    found: dict[str, list[tuple[np.ndarray, int]]] = {}
    for path, mask in masks.items():
        block, matrix_type = place_of(path)
        if matrix_type in NEURON_AXES and len(mask.shape) == 2:
            axis = NEURON_AXES[matrix_type]
            shares = zeros_along(mask.unpack(), axis)
            found.setdefault(block, []).append((shares, mask.shape[1 - axis]))
    return {block: _together(parts) for block, parts in found.items()}


def _together(parts: list[tuple[np.ndarray, int]]) -> Neurons:
    """Matrices by the number of weights that a neuron has in each."""
    weights = sum(weight for _, weight in parts)
    shares = sum((share * weight for share, weight in parts), np.zeros(1)) / weights
    means = [(float(share.mean()), weight) for share, weight in parts]
    variance = sum(mean * (1 - mean) * weight for mean, weight in means)
    return Neurons(shares, variance**0.5 / weights)
