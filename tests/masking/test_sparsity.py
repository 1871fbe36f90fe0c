"""Counts against NumPy, and the differentiable mean against autodiff of a plain sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import Count, count_zeros, hard_threshold, mean_sparsity, total_count

SHAPES = {
    "encoder/layer/0/attention/self/query/kernel": (4, 4),
    "encoder/layer/0/output/dense/kernel": (6, 4),
    "encoder/layer/0/output/dense/bias": (4,),
    "encoder/layer/11/output/dense/kernel": (6, 4),
    "pooler/dense/kernel": (4, 4),
    "classifier/kernel": (4, 2),
    "classifier/out_proj/kernel": (4, 3),
    "somewhere/else": (5, 3),
}


@pytest.fixture
def masks() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {path: rng.random(shape) < 0.7 for path, shape in SHAPES.items()}


@pytest.mark.parametrize("dtype", [bool, np.float32, jnp.bfloat16])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_count_zeros_counts_each_leaf(masks, array, dtype):
    counts = count_zeros({path: array(mask.astype(dtype)) for path, mask in masks.items()})
    assert counts == {path: ((~m).sum(), m.size) for path, m in masks.items()}
    assert all(type(number) is int for count in counts.values() for number in count)


def test_total_count_adds_all_leaves(masks):
    every = np.concatenate([mask.ravel() for mask in masks.values()])
    total = total_count(count_zeros(masks))
    assert total == ((~every).sum(), every.size)
    assert total.sparsity == 1 - every.mean()


def test_counts_of_empty_masks_are_zero():
    assert total_count({}) == (0, 0)
    assert Count(0, 0).sparsity == 0
    assert count_zeros({"empty": np.ones((0, 3))}) == {"empty": (0, 0)}
    with pytest.raises(ValueError, match="at least one mask"):
        mean_sparsity({})


@pytest.mark.parametrize("dtype", [bool, jnp.float32, jnp.bfloat16])
def test_mean_sparsity_equals_the_counted_share(masks, dtype):
    as_given = {path: jnp.asarray(mask, dtype) for path, mask in masks.items()}
    mean = jax.jit(mean_sparsity)(as_given)
    assert mean.dtype == jnp.float32
    assert float(mean) == pytest.approx(total_count(count_zeros(masks)).sparsity, abs=1e-6)


def test_mean_of_bfloat16_masks_is_exact():
    mask = jnp.ones(1000, jnp.bfloat16).at[:3].set(0)
    assert float(mean_sparsity({"kernel": mask})) == pytest.approx(0.003, abs=1e-6)


def test_mean_of_masks_that_drop_nothing_is_zero():
    """1 − kept / total would be −5e-8: the compiler divides by multiplying with 1 / total."""
    optimized = {"xla_backend_optimization_level": 3}
    mean = jax.jit(mean_sparsity, compiler_options=optimized)
    assert float(mean({"kernel": jnp.ones(1000)})) == 0


def test_mean_is_differentiable():
    """With straight-through gradients, each score of any leaf has the derivative −1/N."""
    scores = {"a": jnp.array([0.5, -0.5]), "b": jnp.zeros((3, 2))}
    gradient = jax.grad(lambda s: mean_sparsity(jax.tree.map(hard_threshold, s)))(scores)
    for leaf in gradient.values():
        np.testing.assert_allclose(leaf, -1 / 8, rtol=1e-6)
