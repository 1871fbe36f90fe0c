"""Shrinking keeps the zeros of the largest weights."""

import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.taskfile import make_task_file, shrink

SHAPES = {"a/kernel": (40, 30), "b/kernel": (20, 30)}


@pytest.fixture
def leaves():
    """The second matrix is a hundred times larger, which must not matter."""
    random = np.random.default_rng(0)
    scale = {"a/kernel": 1, "b/kernel": 100}
    return {p: (scale[p] * random.normal(size=s)).astype(np.float32) for p, s in SHAPES.items()}


@pytest.fixture
def task(leaves, meta):
    random = np.random.default_rng(1)
    masks = {path: random.random(shape) > 0.2 for path, shape in SHAPES.items()}
    return make_task_file(Delta.of(masks=masks), leaves, meta)


@pytest.mark.parametrize("share", [0.25, 0.7, 1.0])
def test_shrink_keeps_the_zeros_of_the_largest_weights(task, leaves, share):
    before, after = (
        {path: mask.unpack() for path, mask in one.masks.items()}
        for one in (task, shrink(task, leaves, share))
    )
    relative = {path: np.abs(leaf) / np.abs(leaf).mean() for path, leaf in leaves.items()}
    zeros = sorted(
        (relative[path][place], path, place)
        for path in SHAPES
        for place in zip(*np.nonzero(~before[path]), strict=True)
    )
    stay = {(path, place) for _, path, place in zeros[round(len(zeros) * (1 - share)) :]}
    found = {
        (path, place) for path in SHAPES for place in zip(*np.nonzero(~after[path]), strict=True)
    }
    assert found == stay


def test_shrink_refuses_wrong_shares_and_files_without_masks(task, leaves, meta):
    with pytest.raises(InputError, match=r"--zeros: expected a share in \(0, 1\], got 0"):
        shrink(task, leaves, 0)
    with pytest.raises(InputError, match="expected masks, and it has none"):
        shrink(make_task_file(Delta(), leaves, meta), leaves, 0.5)
