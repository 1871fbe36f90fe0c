"""Which axes of which arrays are divided among devices: one table, by the paths of parameters.

Scores, moments of an optimizer and packed copies carry the path of their weight at the end of
their own, so that one table is for the whole state of training.
"""

from typing import Any

from jax.sharding import PartitionSpec

from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.selection import choose

DATA = "data"
"""The axis of devices that share the rows of a batch."""
MODEL = "model"
"""The axis of devices that share the matrices of a block."""

RULES = {
    # The first matrix of each half of a block is divided by its outputs, the second by its inputs:
    # between the two nothing is exchanged (Shoeybi et al., https://arxiv.org/abs/1909.08053).
    r".*/(self/query|self/key|self/value|intermediate/dense)/kernel": PartitionSpec(DATA, MODEL),
    r".*/(self/query|self/key|self/value|intermediate/dense)/bias": PartitionSpec(MODEL),
    r".*/layer/\d+/(attention/)?output/dense/kernel": PartitionSpec(MODEL, DATA),
    # Vectors, for the sizes of vocabularies rarely divide.
    r".*/embedding": PartitionSpec(None, DATA),
    r".*/kernel": PartitionSpec(DATA, None),
    r".*": PartitionSpec(),
}
"""`{pattern of paths: axes}`; the first pattern that matches a whole path decides."""


def partition_spec(path: str, shape: tuple[int, ...], sizes: dict[str, int]) -> PartitionSpec:
    """How an array is divided.

    Example:
        >>> path = "encoder/layer/0/attention/self/query/kernel"
        >>> tuple(partition_spec(path, (16, 16), {"data": 4, "model": 2}))
        ('data', 'model')
        >>> tuple(partition_spec(path, (3, 16, 18), {"model": 4}))
        (None, None, None)
    """
    rule = choose(path, RULES)
    before = len(shape) - len(rule)
    if before < 0:
        return PartitionSpec()
    axes = zip(shape[before:], rule, strict=True)
    divided = [axis if axis in sizes and n % sizes[axis] == 0 else None for n, axis in axes]
    return PartitionSpec(*(None,) * before, *divided)


def partition_specs(tree: Any, sizes: dict[str, int]) -> Any:
    """How every array of a pytree is divided."""
    leaves = flatten_with_paths(tree)
    specs = {path: partition_spec(path, leaf.shape, sizes) for path, leaf in leaves.items()}
    return update_leaves(tree, specs)
