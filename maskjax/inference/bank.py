"""A task as it lies in memory: masks at one bit a weight, and what few arrays are its own."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from maskjax.errors import InputError
from maskjax.masking import kind_of, leaves_by_path, pack_planes
from maskjax.models import Model, head_paths
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
    """Packs what a file holds for a model.

    Args:
        file: A task that fits the base, as `maskjax.taskfile.check_base` checks it.
        base: Leaves of the base, by path.
        model: A model of the task's kind. Its head may be wider than the task's: classes that the
            task does not have get zeros.

    Returns:
        The task, of NumPy arrays.

    Raises:
        InputError: If the task changes a leaf that the model does not have.
    """
    known = leaves_by_path(model.abstract)
    if unknown := sorted({path for path, _ in file.shapes()} - known.keys()):
        raise InputError(
            f"{file.name}: changes {', '.join(unknown[:3])}, which a model of the kind "
            f"{file.meta['task']['kind']} does not have."
        )
    own = _replaced(file, base)
    planes = {}
    for path, packed in file.masks.items():
        mask = packed.unpack()
        if path in own or path not in maskable_paths(model):
            leaf = own[path] if path in own else np.asarray(base[path])
            own[path] = leaf * mask.astype(np.float32)
        else:
            planes[path] = pack_planes(mask)
    return PackedTask(planes, {path: _widened(leaf, known[path]) for path, leaf in own.items()})


def maskable_paths(model: Model) -> frozenset[str]:
    """The matrices of a base that a program unmasks: those of the blocks, and BERT's pooler.

    Args:
        model: The model.

    Returns:
        Their paths.
    """
    return _maskable(tuple(leaves_by_path(model.abstract)), head_paths(model))


@cache
def _maskable(paths: tuple[str, ...], head: tuple[str, ...]) -> frozenset[str]:
    kernels = (path for path in paths if path.endswith("/kernel") and path not in head)
    return frozenset(path for path in kernels if kind_of(path) is not None)


def _replaced(file: TaskFile, base: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Weights, and matrices with their low-rank factors, in the order of `merge`."""
    weights = file.arrays.get("weight", {})
    own = {path: np.asarray(leaf, np.float32) for path, leaf in weights.items()}
    second = file.arrays.get("lora_b", {})
    for path, first in file.arrays.get("lora_a", {}).items():
        update = first.astype(np.float32) @ second[path].astype(np.float32)
        own[path] = (own[path] if path in own else np.asarray(base[path])) + update
    return own


def _widened(leaf: np.ndarray, wanted: Any) -> np.ndarray:
    missing = [(0, size - had) for size, had in zip(wanted.shape, leaf.shape, strict=True)]
    return np.pad(leaf, missing)
