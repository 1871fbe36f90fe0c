"""Set operations on saved masks: intersect and unite two tasks, restrict one to some blocks.

A matrix that a task does not mask counts as all ones. The head, its labels and the metadata come
from the first task. A task moves to another checkpoint of the same shape without any computation:
the base is never changed, and `check_base` accepts it with `allow_mismatch`.
"""

from collections.abc import Callable, Container

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask, pair_masks
from maskjax.models.matrix_types import block_of
from maskjax.taskfile.taskfile import TaskFile


def intersect(first: TaskFile, second: TaskFile) -> TaskFile:
    """Keeps the weights that both tasks keep.

    Args:
        first: A task, which also gives the head.
        second: Another one on the same base.

    Returns:
        The task; it masks what either masks.

    Raises:
        InputError: If the tasks are not on the same base, or not both masks.

    Example:
        >>> from maskjax.taskfile import load_task_file
        >>> task = load_task_file(trained / "task.safetensors")
        >>> intersect(task, task).masks.keys() == task.masks.keys()
        True
    """
    return _combine(np.bitwise_and, "and", first, second)


def unite(first: TaskFile, second: TaskFile) -> TaskFile:
    """Keeps the weights that at least one of the tasks keeps.

    Args:
        first: A task, which also gives the head.
        second: Another one on the same base.

    Returns:
        The task; what only one of them masks is all ones in it.

    Raises:
        InputError: If the tasks are not on the same base, or not both masks.
    """
    return _combine(np.bitwise_or, "or", first, second)


def restrict(task: TaskFile, blocks: Container[int]) -> TaskFile:
    """Keeps the mask in some blocks, and all weights of the others.

    Args:
        task: The task.
        blocks: Numbers of the blocks, from 0.

    Returns:
        The task; masks of leaves outside the blocks (pooler, head) stay.

    Example:
        >>> from maskjax.taskfile import load_task_file
        >>> task = restrict(load_task_file(trained / "task.safetensors"), blocks=[1])
        >>> sorted({path.split("/")[2] for path in task.masks if "layer/" in path})
        ['1']
    """
    outside = {
        path for path in task.masks if (block := block_of(path)) is not None and block not in blocks
    }
    masks = {path: mask for path, mask in task.masks.items() if path not in outside}
    digests = {path: digest for path, digest in task.digests.items() if path not in outside}
    return task.with_masks(masks)._replace(digests=digests)


def _combine(
    operation: Callable[[np.ndarray, np.ndarray], np.ndarray],
    operator: str,
    first: TaskFile,
    second: TaskFile,
) -> TaskFile:
    _check(first, second)
    try:
        pairs = pair_masks(first.masks, second.masks)
    except ValueError as error:
        raise InputError(f"{second.name} does not fit {first.name}: {error}") from error
    masks = {path: PackedMask(operation(a.bits, b.bits), a.shape) for path, (a, b) in pairs.items()}
    digests = second.digests | first.digests
    name = f"{first.meta['task']['name']} {operator} {second.meta['task']['name']}"
    meta = {**first.meta, "task": {**first.meta["task"], "name": name}, "scores": {}}
    return first.with_masks(masks)._replace(digests=digests, meta=meta, name=name)


def _check(first: TaskFile, second: TaskFile) -> None:
    for task in (first, second):
        if not task.masks:
            raise InputError(f"{task.name}: expected masks, and it has none.")
    first_base, second_base = first.meta["base"], second.meta["base"]
    if first_base["digest"] != second_base["digest"]:
        raise InputError(
            f"{first.name} was learned on {first_base['name']} and {second.name} on"
            f" {second_base['name']}, which are not the same weights; masks can be combined on one"
            " base only."
        )
