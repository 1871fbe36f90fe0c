"""Combined masks against the same operations on bool arrays."""

import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.taskfile import intersect, make_task_file, restrict, unite

SHAPES = {f"encoder/layer/{b}/output/dense/kernel": (4, 5) for b in range(4)}
SHAPES["pooler/dense/kernel"] = (3, 3)


@pytest.fixture
def leaves():
    random = np.random.default_rng(0)
    return {path: random.normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()}


@pytest.fixture
def tasks(leaves, meta):
    """The first does not mask block 0, the second does not mask block 3."""
    made = []
    for seed, without in enumerate((0, 3)):
        random = np.random.default_rng(seed)
        masks = {path: random.random(shape) > 0.3 for path, shape in SHAPES.items()}
        del masks[f"encoder/layer/{without}/output/dense/kernel"]
        head = {"head/kernel": np.full((3, 2), seed, np.float32)}
        made.append(make_task_file(Delta.of(weights=head, masks=masks), leaves, meta))
    return made


@pytest.mark.parametrize(
    ("combine", "operation"), [(intersect, np.logical_and), (unite, np.logical_or)]
)
def test_intersect_and_unite_match_bool_arrays(tasks, combine, operation):
    first, second = ({p: m.unpack() for p, m in task.masks.items()} for task in tasks)
    combined = combine(*tasks)
    for path, shape in SHAPES.items():
        ones = np.ones(shape, bool)
        expected = operation(first.get(path, ones), second.get(path, ones))
        np.testing.assert_array_equal(combined.masks[path].unpack(), expected)
    assert combined.digests.keys() == SHAPES.keys()
    assert (combined.delta.weights["head/kernel"] == 0).all()
    assert combined.meta["scores"] == {}


def test_restrict_keeps_the_blocks_only(tasks):
    task = restrict(tasks[0], range(1, 3))
    kept = {path for path in SHAPES if "layer/1" in path or "layer/2" in path or "pooler" in path}
    assert task.masks.keys() == task.digests.keys() == kept


def test_only_masks_on_one_base_can_be_combined(tasks, leaves, meta):
    moved = {path: leaf + 1 for path, leaf in leaves.items()}
    other = make_task_file(tasks[1].delta, moved, meta)
    with pytest.raises(InputError, match="not the same weights"):
        unite(tasks[0], other)
    without = make_task_file(Delta(), leaves, meta)
    with pytest.raises(InputError, match="expected masks, and it has none"):
        intersect(tasks[0], without)
