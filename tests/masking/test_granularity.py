"""Shared scores against explicit loops over weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import PER_MATRIX, PER_WEIGHT, constant, per_head, threshold_mask

HEADS, SIZE, WIDTH = 3, 2, 5
ATTENTION = "encoder/layer/0/attention/"
OUTPUTS = [ATTENTION + f"self/{part}" for part in ("query", "key", "value")]
LEAVES = {path + "/kernel": (WIDTH, HEADS * SIZE) for path in OUTPUTS}
LEAVES |= {path + "/bias": (HEADS * SIZE,) for path in OUTPUTS}
LEAVES[ATTENTION + "output/dense/kernel"] = (HEADS * SIZE, WIDTH)


def head_of(path: str, index: tuple[int, ...]) -> int:
    """The head that a weight belongs to, weight by weight."""
    along = index[0] if path.endswith("output/dense/kernel") else index[-1]
    return along // SIZE


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(params=LEAVES)
def path(request) -> str:
    return request.param


def test_score_of_a_head_masks_its_weights(path):
    bits = np.array([1, 0, 1], np.float32)
    mask = per_head(HEADS).expand(path, jnp.asarray(bits), LEAVES[path])
    expected = [bits[head_of(path, index)] for index in np.ndindex(LEAVES[path])]
    np.testing.assert_array_equal(mask, np.reshape(expected, LEAVES[path]))


def test_a_heads_magnitude_is_the_mean(path):
    weight = random(LEAVES[path])
    of_head: list[list[float]] = [[] for _ in range(HEADS)]
    for index in np.ndindex(weight.shape):
        of_head[head_of(path, index)].append(abs(weight[index]))
    reduced = per_head(HEADS).reduce(path, jnp.asarray(weight))
    np.testing.assert_allclose(reduced, [np.mean(w) for w in of_head], rtol=1e-6)


def test_matrix_granularity_shares_one_score():
    weight = random((3, 4))
    reduced = PER_MATRIX.reduce("any", jnp.asarray(weight))
    assert reduced.shape == ()
    np.testing.assert_allclose(reduced, np.abs(weight).mean(), rtol=1e-6)
    for bit in (0.0, 1.0):
        mask = PER_MATRIX.expand("any", jnp.float32(bit), (3, 4))
        np.testing.assert_array_equal(mask, np.full((3, 4), bit))


def test_weight_granularity_changes_nothing():
    weight = random((3, 4))
    np.testing.assert_array_equal(PER_WEIGHT.reduce("any", jnp.asarray(weight)), np.abs(weight))
    assert PER_WEIGHT.expand("any", weight, (3, 4)) is weight


@pytest.mark.parametrize("granularity", [PER_WEIGHT, PER_MATRIX, per_head(HEADS)])
def test_magnitudes_are_float32(granularity):
    weight = jnp.full(LEAVES[OUTPUTS[0] + "/kernel"], 0.1, jnp.bfloat16)
    reduced = granularity.reduce(OUTPUTS[0] + "/kernel", weight)
    assert reduced.dtype == jnp.float32
    np.testing.assert_allclose(reduced, np.float32(weight[0, 0]), rtol=1e-6)


@pytest.mark.parametrize("sharing", ["weight", "matrix", "head"])
def test_the_gradient_of_a_score_is_the_sum_over_its_weights(path, sharing):
    granularity = {"weight": PER_WEIGHT, "matrix": PER_MATRIX, "head": per_head(HEADS)}[sharing]
    weight, slope = random(LEAVES[path]), random(LEAVES[path], 1)
    transform = threshold_mask(initializer=constant(1.0), where=[path], granularity=granularity)
    params = {path: jnp.asarray(weight)}
    scores = transform.init(jax.random.key(0), params)

    def loss(scores):
        return (slope * transform.apply(scores, params)[path] ** 2).sum()

    gradient = jax.grad(loss)(scores)[path]
    expected = np.zeros(gradient.shape)
    for index in np.ndindex(weight.shape):
        score = {"weight": index, "matrix": (), "head": (head_of(path, index),)}[sharing]
        expected[score] += 2 * slope[index] * weight[index] * weight[index]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "leaf", ["pooler/dense/kernel", ATTENTION + "output/dense/bias", "encoder/layer/0/output/dense"]
)
def test_leaves_without_heads_are_refused(leaf):
    shape = (6,) if leaf.endswith("bias") else (6, 6)
    with pytest.raises(ValueError, match=f"{leaf}: has no attention heads"):
        per_head(3).reduce(leaf, jnp.ones(shape))


def test_axis_that_heads_do_not_divide_is_refused():
    leaf = OUTPUTS[0] + "/kernel"
    with pytest.raises(ValueError, match=f"{leaf}: axis of 6 does not divide into 4 heads"):
        per_head(4).reduce(leaf, jnp.ones((5, 6)))


@pytest.mark.parametrize("granularity", [PER_WEIGHT, PER_MATRIX, per_head(HEADS)])
def test_mask_of_a_wrong_shape_is_refused(granularity):
    """A shape that NumPy would broadcast is refused too."""
    leaf = OUTPUTS[0] + "/kernel"
    for shape in [(6,), (5, 1), (2,)]:
        with pytest.raises(ValueError, match=f"{leaf}: expected a mask of shape"):
            granularity.expand(leaf, jnp.ones(shape), LEAVES[leaf])
