"""Smaller task files without training: zeros of small weights are set to one.

A mask that was initialized to all ones has dropped many weights that are small compared with their
matrix. Keeping these changes the function little, and each zero less saves up to five bits in the
file. docs/results-appendix.md has the curve of accuracy against size.
"""

from collections.abc import Mapping

import numpy as np

from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask
from maskjax.taskfile.taskfile import TaskFile


def shrink(task: TaskFile, weights: Mapping[str, np.ndarray], zeros: float) -> TaskFile:
    """Keeps a share of a task's zeros: those of the largest weights, relative to mean |W|.

    Args:
        task: The task.
        weights: The leaf below each mask, by path.
        zeros: The share of the zeros to keep, in (0, 1].

    Returns:
        The task with fewer zeros and no scores, since it has not been evaluated.

    Raises:
        InputError: If the task has no masks, or the share is out of range.

    Example:
        >>> from maskjax.adaptation import Delta
        >>> mask = PackedMask.of(np.array([False, False, True, True]))
        >>> task = TaskFile(Delta.of(masks={"kernel": mask}), {}, {"scores": {}})
        >>> small = shrink(task, {"kernel": np.array([0.1, -2.0, 3.0, 1.0])}, zeros=0.5)
        >>> small.masks["kernel"].unpack().tolist()
        [True, False, True, True]
    """
    if not task.masks:
        raise InputError(f"{task.name}: expected masks, and it has none.")
    if not 0 < zeros <= 1:
        raise InputError(f"--zeros: expected a share in (0, 1], got {zeros}.")
    sizes = {path: _relative_size(weights[path]) for path in task.masks}
    dropped = [sizes[path][~mask.unpack()] for path, mask in task.masks.items()]
    cutoff = np.quantile(np.concatenate(dropped), 1 - zeros)
    masks = {
        path: PackedMask.of(mask.unpack() | (sizes[path] < cutoff))
        for path, mask in task.masks.items()
    }
    return task.with_masks(masks)._replace(meta={**task.meta, "scores": {}})


def _relative_size(weights: np.ndarray) -> np.ndarray:
    size = np.abs(np.asarray(weights, np.float32))
    return size / max(float(size.mean()), np.finfo(np.float32).tiny)
