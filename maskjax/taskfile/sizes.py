"""What masks cost in a file, against what they must cost."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from maskjax.masking import Count, count_packed, packed_size
from maskjax.taskfile.coding import read_encodings
from maskjax.taskfile.container import unpack_container
from maskjax.taskfile.entries import MASKS, decode_entries


class MaskSize(NamedTuple):
    """The masks of one task file.

    Attributes:
        weights: Masked weights.
        coded: Bytes that all masks take in the file.
        bound: Bytes of independent weights with each matrix' density: Σ size · H(density) / 8.
            A mask whose rows or columns differ can cost less.
        encodings: How many matrices have which encoding.
    """

    weights: int
    coded: int
    bound: float
    encodings: dict[str, int]

    @property
    def bits_per_weight(self) -> float:
        """Coded bits per masked weight."""
        return 8 * self.coded / max(self.weights, 1)


def mask_size(path: Path) -> MaskSize:
    """Reads what the masks of a file cost.

    Args:
        path: The task file.

    Returns:
        The sizes.

    Raises:
        InputError: If the file cannot be read.
    """
    tensors, header = unpack_container(path.read_bytes(), path)
    masks = decode_entries(tensors, header.get("entries"), str(path)).masks
    counts = count_packed(masks).values()
    shapes = {name: mask.shape for name, mask in masks.items()}
    found = read_encodings(tensors[MASKS], shapes, name=str(path)) if shapes else {}
    names = Counter(encoding.name.lower() for encoding in found.values())
    coded = tensors[MASKS].nbytes if shapes else 0
    return MaskSize(sum(c.total for c in counts), coded, entropy_bytes(counts), dict(names))


def entropy_bytes(counts: Iterable[Count]) -> float:
    """Bytes of independent weights: Σ size · H(density) / 8.

    Args:
        counts: Of each matrix.

    Returns:
        The sum.

    Example:
        >>> entropy_bytes([Count(zeros=8, total=16), Count(zeros=0, total=16)])
        2.0
    """
    return sum(count.total * binary_entropy(count.sparsity) for count in counts) / 8


def binary_entropy(p: float) -> float:
    """H(p) = −p log₂ p − (1 − p) log₂(1 − p), in bits.

    Args:
        p: A probability.

    Returns:
        Bits, in [0, 1].

    Example:
        >>> binary_entropy(0.5), binary_entropy(0.0)
        (1.0, 0.0)
    """
    return sum(-q * math.log2(q) for q in (p, 1 - p) if q > 0)


def mask_bytes(masks: Mapping[str, Any]) -> int:
    """Bytes of masks at one bit a weight.

    Args:
        masks: Anything with a shape, by path.

    Returns:
        The size; 0 where there are no masks.
    """
    return sum(packed_size(tuple(mask.shape)) for mask in masks.values())
