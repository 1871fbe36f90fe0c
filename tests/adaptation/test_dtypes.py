"""Adapted params have the dtypes of their base, both in training and from a file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.adaptation import (
    Delta,
    LowRank,
    Mask,
    Weight,
    combine,
    fixed_masks,
    lora,
    masking,
    train_weights,
)
from maskjax.masking import flatten_with_paths, proportional, threshold_mask
from maskjax.masking.packed import PackedMask

ONES = np.ones((2, 2), np.float32)
KEY = jax.random.key(0)
MASK = np.array([True, False, True, True])
ADAPTATIONS = {
    "mask": lambda: masking(threshold_mask(0.5)),
    "weights": lambda: train_weights(".*"),
    "lora": lambda: lora(".*/kernel", rank=2),
    "all": lambda: combine(
        weights=train_weights("a/kernel"),
        lora=lora("a/kernel", rank=2),
        scores=masking(threshold_mask(0.5)),
        fixed=fixed_masks({"b/bias": PackedMask.of(MASK)}),
    ),
}


def make_params(dtype) -> dict:
    rng = np.random.default_rng(0)
    return {
        name: {"kernel": jnp.asarray(rng.normal(size=(6, 4)), dtype), "bias": jnp.ones(4, dtype)}
        for name in "ab"
    }


def moved(trainable: dict) -> dict:
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: leaf + jnp.asarray(rng.normal(0, 0.5, leaf.shape), leaf.dtype), trainable
    )


@pytest.mark.parametrize("name", ADAPTATIONS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_apply_and_the_delta_keep_the_dtype(name, dtype):
    """Both give the same bits; trainable leaves are float32, and all have gradients."""
    adaptation, params = ADAPTATIONS[name](), make_params(dtype)
    trainable = moved(adaptation.init(KEY, params))
    assert {leaf.dtype for leaf in jax.tree.leaves(trainable)} == {jnp.dtype("float32")}
    applied = adaptation.apply(trainable, params)
    delta = adaptation.finalize(trainable, params)
    for given in (delta, jax.tree.map(np.asarray, delta)):
        merged = given.apply(params)
        for path, leaf in flatten_with_paths(merged).items():
            assert leaf.dtype == dtype, path
            np.testing.assert_array_equal(leaf, flatten_with_paths(applied)[path], err_msg=path)
    compiled = jax.jit(adaptation.apply)(trainable, params)
    assert {leaf.dtype for leaf in jax.tree.leaves((applied, compiled))} == {jnp.dtype(dtype)}

    def loss(trainable):
        leaves = jax.tree.leaves(adaptation.apply(trainable, params))
        return sum((leaf.astype(jnp.float32).sum() for leaf in leaves), jnp.float32(0))

    for leaf in jax.tree.leaves(jax.grad(loss)(trainable)):
        assert np.abs(leaf).sum() > 0


def test_a_sum_of_a_weight_and_its_update_is_rounded_once():
    params = {"kernel": make_params(jnp.bfloat16)["a"]["kernel"]}
    adaptation = lora("kernel", rank=2, alpha=2.0)
    factors = moved(adaptation.init(KEY, params))
    a, b = (np.asarray(factors["kernel"][name], np.float64) for name in "ab")
    exact = np.asarray(params["kernel"], np.float64) + a @ b
    expected = jnp.asarray(exact, jnp.float32).astype(jnp.bfloat16)
    np.testing.assert_array_equal(adaptation.apply(factors, params)["kernel"], expected)


@pytest.mark.parametrize("operation", [Weight(ONES), Mask(ONES), LowRank(ONES, ONES)])
def test_a_delta_refuses_a_leaf_that_is_not_floating(operation):
    with pytest.raises(ValueError, match="kernel: expected floating weights, got int8"):
        Delta({"kernel": (operation,)}).apply({"kernel": jnp.ones((2, 2), jnp.int8)})


def test_protection_follows_the_trained_size_of_a_weight():
    """Apply and the delta use the size that the weight has now."""
    params = {"kernel": make_params(jnp.float32)["a"]["kernel"]}
    guarded = threshold_mask(initializer=proportional(protect=0.8), where="kernel")
    adaptation = combine(head=train_weights("kernel"), scores=masking(guarded))
    trainable = adaptation.init(KEY, params)
    trainable["head"]["kernel"] = trainable["head"]["kernel"][::-1]
    trainable["scores"]["kernel"] = trainable["scores"]["kernel"] - 9
    size = np.abs(np.asarray(trainable["head"]["kernel"]))
    small = size < 0.8 * size.mean()
    applied = adaptation.apply(trainable, params)["kernel"]
    np.testing.assert_array_equal(np.asarray(applied) != 0, small)
    delta = adaptation.finalize(trainable, params)
    np.testing.assert_array_equal(delta.masks["kernel"], small)
    np.testing.assert_array_equal(delta.apply(params)["kernel"], applied)
