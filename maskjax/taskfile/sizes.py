"""The size of masks in a file, and their entropy."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from maskjax.masking import Count
from maskjax.masking.packed import count_packed, packed_size
from maskjax.taskfile.entries import MASKS
from maskjax.taskfile.header import TaskHeader, read_task_header
from maskjax.taskfile.taskfile import read_content


class MaskSize(NamedTuple):
    """The masks of one task file.

    Attributes:
        weights: Masked weights.
        coded: Bytes that all masks take in the file.
        bound: Bytes of independent weights with each matrix' density: Σ size · H(density) / 8.
            A mask whose rows or columns differ can cost less.
        encodings: The number of matrices with each encoding.
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
    """Computes the size of the masks of a file.

    Args:
        path: The task file.

    Returns:
        The sizes.

    Raises:
        InputError: If the file cannot be read.

    Example:
        >>> size = mask_size(trained / "task.safetensors")
        >>> size.bits_per_weight < 1
        True
    """
    header = read_task_header(path)
    counts = header.counts
    return declared_size(
        header, count_packed(read_content(header).masks) if counts is None else counts
    )


def declared_size(header: TaskHeader, counts: Mapping[str, Count]) -> MaskSize:
    """Computes the size of the masks of a file without decoding them.

    Args:
        header: The header of the task file.
        counts: Zeros and sizes of its masks, declared or counted.

    Returns:
        The sizes.

    Raises:
        InputError: If the masks are damaged.
    """
    names = Counter(encoding.name.lower() for encoding in header.encodings().values())
    coded = header.container.tensors[MASKS].size if header.declared.masks else 0
    total = sum(count.total for count in counts.values())
    return MaskSize(total, coded, entropy_bytes(counts.values()), dict(names))


def entropy_bytes(counts: Iterable[Count]) -> float:
    """Bytes of independent weights: Σ size · H(density) / 8.

    Args:
        counts: The counts of each matrix.

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
    """Bytes of masks at one bit per weight.

    Args:
        masks: Anything with a shape, by path.

    Returns:
        The size; 0 without masks.

    Example:
        >>> from maskjax.models import build_model, load_base
        >>> model = build_model(load_base(base).config, num_outputs=2)
        >>> mask_bytes({"kernel": model.abstract["pooler"]["dense"]["kernel"]})
        32
    """
    return sum(packed_size(tuple(mask.shape)) for mask in masks.values())
