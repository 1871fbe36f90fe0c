"""Differences of packed masks against bool arrays, and the chance level against draws."""

import numpy as np
import pytest

from maskjax.masking.packed import PackedMask, compare_masks, total_difference

RANDOM = np.random.default_rng(0)
SHAPES = {"a": (3, 5), "b": (8,), "c": (1,), "d": (0, 4)}


def draw(density: float, shape: tuple[int, ...]) -> np.ndarray:
    return RANDOM.random(shape) < density


def test_counts_match_bool_arrays():
    one = {path: draw(0.7, shape) for path, shape in SHAPES.items()}
    two = {path: draw(0.4, shape) for path, shape in SHAPES.items()}
    found = compare_masks(
        {path: PackedMask.of(mask) for path, mask in one.items()},
        {path: PackedMask.of(mask) for path, mask in two.items()},
    )
    for path, difference in found.items():
        assert difference == (
            (one[path] != two[path]).sum(), one[path].sum(), two[path].sum(), one[path].size
        )  # fmt: skip
    total = total_difference(found.values())
    assert total.differing == sum((one[path] != two[path]).sum() for path in SHAPES)
    assert total.total == 24


def test_missing_mask_counts_as_all_ones():
    mask = draw(0.5, (3, 7))
    here = {"a": PackedMask.of(mask)}
    assert compare_masks(here, {})["a"] == ((~mask).sum(), mask.sum(), 21, 21)
    assert compare_masks({}, here)["a"] == ((~mask).sum(), 21, mask.sum(), 21)


@pytest.mark.parametrize("shape", [(), (1,), (8,), (3, 3), (0,), (5, 13)])
def test_packed_ones_have_no_zeros(shape):
    full = PackedMask.ones(shape)
    assert full.zeros == 0
    np.testing.assert_array_equal(full.bits, PackedMask.of(np.ones(shape, bool)).bits)


@pytest.mark.parametrize(("p", "q"), [(0.95, 0.9), (0.5, 0.5), (0.2, 0.99)])
def test_random_masks_are_as_far_apart_as_expected(p, q):
    pair = [{"a": PackedMask.of(draw(density, (500, 600)))} for density in (p, q)]
    difference = compare_masks(*pair)["a"]
    assert difference.dissimilarity == pytest.approx(difference.expected, rel=0.02)


def test_dissimilarity_is_zero_for_equal_and_one_for_opposite():
    mask = draw(0.5, (64,))
    same = compare_masks({"a": PackedMask.of(mask)}, {"a": PackedMask.of(mask)})["a"]
    other = compare_masks({"a": PackedMask.of(mask)}, {"a": PackedMask.of(~mask)})["a"]
    assert (same.dissimilarity, other.dissimilarity) == (0, 1)


def test_shapes_that_differ_are_an_error():
    one, two = (PackedMask.of(np.ones(shape, bool)) for shape in ((2, 3), (3, 2)))
    with pytest.raises(ValueError, match="a: expected masks of one shape"):
        compare_masks({"a": one}, {"a": two})
