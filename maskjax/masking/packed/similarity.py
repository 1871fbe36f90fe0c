"""The similarity of masks: counts of differing bits, and their expectation by chance."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from maskjax.masking.packed.packing import PackedMask


class Difference(NamedTuple):
    """The difference of two masks, in counts of weights.

    Attributes:
        differing: The number of weights that one mask keeps and the other drops.
        first: The number of weights that the first mask keeps.
        second: The number of weights that the second mask keeps.
        total: The number of all weights.

    Example:
        >>> difference = Difference(differing=2, first=3, second=3, total=4)
        >>> round(difference.dissimilarity, 3), difference.expected
        (0.333, 0.25)
        >>> difference.flip_ratio, difference.iou
        (0.5, 0.5)
    """

    differing: int
    first: int
    second: int
    total: int

    @property
    def dissimilarity(self) -> float:
        """S = ‖M₁ − M₂‖₁ / (‖M₁‖₁ + ‖M₂‖₁), in [0, 1] (Zhao et al. 2020, section 6.2)."""
        return self.differing / max(self.first + self.second, 1)

    @property
    def flip_ratio(self) -> float:
        """‖M₁ − M₂‖₁ / weights: the share of all weights whose bit differs."""
        return self.differing / max(self.total, 1)

    @property
    def iou(self) -> float:
        """|M₁ ∩ M₂| / |M₁ ∪ M₂| of the kept weights; 1 if neither keeps any."""
        kept = self.first + self.second  # |∩| + |∪|, and the differing are |∪| − |∩|
        return (kept - self.differing) / (kept + self.differing) if kept else 1.0

    @property
    def expected(self) -> float:
        """The dissimilarity of independent random masks that keep as many weights."""
        if not self.first + self.second:
            return 0.0
        p, q = self.first / self.total, self.second / self.total
        return (p * (1 - q) + q * (1 - p)) / (p + q)


def compare_masks(
    first: Mapping[str, PackedMask], second: Mapping[str, PackedMask]
) -> dict[str, Difference]:
    """Compares two tasks' masks, matrix by matrix.

    Args:
        first: Packed masks by path.
        second: Packed masks by path; a matrix that only one of the two masks is all ones in the
            other.

    Returns:
        `{path: difference}` for every path of either.

    Raises:
        ValueError: If masks of the same path differ in shape.

    Example:
        >>> mask = PackedMask.of(np.array([True, False, True]))
        >>> compare_masks({"kernel": mask}, {})
        {'kernel': Difference(differing=1, first=2, second=3, total=3)}
    """
    return {path: _compare(*pair) for path, pair in pair_masks(first, second).items()}


def pair_masks(
    first: Mapping[str, PackedMask], second: Mapping[str, PackedMask]
) -> dict[str, tuple[PackedMask, PackedMask]]:
    """Pairs the masks of two tasks by path.

    Args:
        first: Packed masks by path.
        second: Packed masks by path; a matrix that only one of the two masks is all ones in the
            other.

    Returns:
        `{path: (first, second)}` for every path of either.

    Raises:
        ValueError: If masks of the same path differ in shape.

    Example:
        >>> masks = {"kernel": PackedMask.of(np.array([True, False]))}
        >>> first, second = pair_masks(masks, {})["kernel"]
        >>> first.unpack().tolist(), second.unpack().tolist()
        ([True, False], [True, True])
    """
    return {path: _pair(path, first, second) for path in dict.fromkeys((*first, *second))}


def _pair(
    path: str, first: Mapping[str, PackedMask], second: Mapping[str, PackedMask]
) -> tuple[PackedMask, PackedMask]:
    if path not in first:
        return PackedMask.ones(second[path].shape), second[path]
    if path not in second:
        return first[path], PackedMask.ones(first[path].shape)
    a, b = first[path], second[path]
    if a.shape != b.shape:
        raise ValueError(f"{path}: expected masks of one shape, got {a.shape}, {b.shape}.")
    return a, b


def total_difference(differences: Iterable[Difference]) -> Difference:
    """Sums differences.

    Args:
        differences: The differences of several matrices.

    Returns:
        The sums of their counts.

    Example:
        >>> total_difference([Difference(1, 2, 3, 4), Difference(0, 4, 4, 4)])
        Difference(differing=1, first=6, second=7, total=8)
    """
    columns = zip(*differences, strict=True)
    return Difference(*(sum(column) for column in columns))


def _compare(first: PackedMask, second: PackedMask) -> Difference:
    differing = int(np.bitwise_count(first.bits ^ second.bits).sum())
    kept = (first.size - first.zeros, second.size - second.zeros)
    return Difference(differing, *kept, first.size)
