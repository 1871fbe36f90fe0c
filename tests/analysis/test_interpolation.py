"""Points of curves against the textbook: interpolation of interpolations, in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.analysis.interpolation import CURVES, mix

RANDOM = np.random.default_rng(0)
START, BEND, END = RANDOM.normal(size=(3, 5))


def between(a, b, share):
    return a + share * (b - a)


def de_casteljau(gamma):
    return between(between(START, BEND, gamma), between(BEND, END, gamma), gamma)


def polygon(gamma):
    if gamma < 0.5:
        return between(START, BEND, 2 * gamma)
    return between(BEND, END, 2 * gamma - 1)


@pytest.mark.parametrize(
    ("name", "corners", "expected"),
    [
        ("line", (START, END), lambda gamma: between(START, END, gamma)),
        ("bezier", (START, BEND, END), de_casteljau),
        ("chain", (START, BEND, END), polygon),
    ],
)
def test_points_of_a_curve_match_their_formula(name, corners, expected):
    trees = [
        {"a": jnp.float32(corner[:2]), "b": {"c": jnp.float32(corner[2:])}} for corner in corners
    ]
    gammas = np.array([0, 0.1, 0.37, 0.5, 0.8, 1], np.float32)
    weights = CURVES[name](jnp.array(gammas))
    assert weights.shape == (len(gammas), len(corners))
    for gamma, row in zip(gammas, weights, strict=True):
        point = mix(trees, row)
        found = np.concatenate([point["a"], point["b"]["c"]])
        np.testing.assert_allclose(found, expected(gamma), atol=1e-6)


def test_mix_needs_a_weight_for_each_corner():
    with pytest.raises(ValueError, match="each of 2 corners"):
        mix([{"a": jnp.ones(2)}] * 2, jnp.ones(3))
