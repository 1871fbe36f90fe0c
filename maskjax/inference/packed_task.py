"""A task as it is held in memory: masks at one bit per weight, and what few arrays are its own."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.masking.packed import pack_bit_planes
from maskjax.models import Model, head_paths
from maskjax.models.matrix_types import matrix_type
from maskjax.taskfile import TaskFile

Leaves = dict[str, Any]
"""Arrays by path, of NumPy or on a device."""


class PackedTask(NamedTuple):
    """All that a task adds to its base; a pytree.

    Attributes:
        planes: Masks of the base's matrices by path, as `pack_planes` packs them: uint8
            `[⌈in / 8⌉, out]`. Nothing for matrices that the task does not mask.
        own: Leaves that stand in the place of those of the base or the model, float32, by path:
            the head, trained biases, matrices that were finetuned. Masks on them are applied.
    """

    planes: Leaves
    own: Leaves

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self))


def pack_task(file: TaskFile, base: Mapping[str, Any], model: Model) -> PackedTask:
    """Packs what a file holds for a model."""
    known = flatten_with_paths(model.abstract)
    if unknown := sorted({path for path, _ in file.shapes()} - known.keys()):
        raise InputError(
            f"{file.name}: changes {', '.join(unknown[:3])}, which a model of the kind "
            f"{file.meta['task']['kind']} does not have."
        )
    delta, maskable = file.delta, maskable_paths(model)
    planes = {
        path: pack_bit_planes(mask.unpack())
        for path, mask in file.masks.items()
        if path in maskable and len(delta.operations[path]) == 1
    }
    below = {**base, **delta.weights}  # the base has no head, which the task brings whole
    own = {
        path: delta.apply_to(path, np.asarray(below[path], np.float32))
        for path in delta.operations.keys() - planes.keys()
    }
    return PackedTask(
        planes, {path: _widened(np.asarray(leaf), known[path]) for path, leaf in own.items()}
    )


def maskable_paths(model: Model) -> frozenset[str]:
    """The matrices of a base that a program unmasks: those of the blocks, and BERT's pooler."""
    return _maskable(tuple(flatten_with_paths(model.abstract)), head_paths(model))


@cache
def _maskable(paths: tuple[str, ...], head: tuple[str, ...]) -> frozenset[str]:
    kernels = (path for path in paths if path.endswith("/kernel") and path not in head)
    return frozenset(path for path in kernels if matrix_type(path) is not None)


def _widened(leaf: np.ndarray, wanted: Any) -> np.ndarray:
    missing = [(0, size - had) for size, had in zip(wanted.shape, leaf.shape, strict=True)]
    return np.pad(leaf, missing)
