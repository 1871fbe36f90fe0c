"""Low-rank updates and trained weights against their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.adaptation import lora, train_weights

KEY = jax.random.key(0)
RANK, ALPHA = 8, 20.0


@pytest.fixture
def params() -> dict:
    rng = np.random.default_rng(0)
    return {
        name: {"kernel": jnp.asarray(rng.normal(size=(100, 60)), jnp.float32), "bias": jnp.ones(60)}
        for name in ("a", "b")
    }


def test_lora_matches_its_formula(params):
    """W + (α / r) A B, in float64."""
    adaptation = lora([".*/kernel"], rank=RANK, alpha=ALPHA)
    factors = adaptation.init(KEY, params)
    rng = np.random.default_rng(1)
    factors = jax.tree.map(lambda f: jnp.asarray(rng.normal(size=f.shape), f.dtype), factors)
    adapted = adaptation.apply(factors, params)
    for name in ("a", "b"):
        a, b = (np.asarray(factors[f"{name}/kernel"][f], np.float64) for f in "ab")
        expected = np.asarray(params[name]["kernel"], np.float64) + ALPHA / RANK * a @ b
        np.testing.assert_allclose(adapted[name]["kernel"], expected, rtol=1e-5, atol=1e-4)
        assert adapted[name]["bias"] is params[name]["bias"]


def test_lora_starts_with_a_random_and_b_zero(params):
    factors = lora([".*/kernel"], rank=RANK).init(KEY, params)
    for leaf in factors.values():
        a = np.asarray(leaf["a"])
        assert (a.shape, leaf["b"].shape) == ((100, RANK), (RANK, 60))
        assert not leaf["b"].any()
        assert np.abs(a).max() <= 0.1
        assert a.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.05)
    assert (factors["a/kernel"]["a"] != factors["b/kernel"]["a"]).all()


def test_lora_refuses_leaves_that_are_no_matrices(params):
    with pytest.raises(ValueError, match=r"a/bias: expected a matrix .* got \(60,\)"):
        lora([".*/bias"]).init(KEY, params)


def test_lora_learns_an_update_of_low_rank(params):
    """Gradient descent finds a target that is two ranks away from the base."""
    rng = np.random.default_rng(2)
    u, v = (rng.normal(size=shape) for shape in ((100, 2), (2, 60)))
    target = params["a"]["kernel"] + jnp.asarray(0.1 * u @ v, jnp.float32)
    adaptation = lora(["a/kernel"], rank=4, alpha=4.0)

    def loss(factors):
        return jnp.square(adaptation.apply(factors, params)["a"]["kernel"] - target).sum()

    def step(factors, _):
        value, gradient = jax.value_and_grad(loss)(factors)
        return jax.tree.map(lambda f, g: f - 0.02 * g, factors, gradient), value

    _, losses = jax.lax.scan(step, adaptation.init(KEY, params), length=300)
    assert losses[-1] < 1e-3 * losses[0]


def test_trained_weights_replace_those_of_the_base(params):
    adaptation = train_weights(["a/.*"])
    weights = adaptation.init(KEY, params)
    assert sorted(weights) == ["a/bias", "a/kernel"]
    for leaf in ("bias", "kernel"):
        np.testing.assert_array_equal(weights[f"a/{leaf}"], params["a"][leaf])
    moved = jax.tree.map(lambda leaf: leaf + 1, weights)
    adapted = adaptation.apply(moved, params)
    assert adapted["a"]["kernel"] is moved["a/kernel"]
    assert adapted["b"]["kernel"] is params["b"]["kernel"]
    gradient = jax.grad(lambda w: adaptation.apply(w, params)["a"]["bias"].sum())(weights)
    assert gradient["a/bias"].tolist() == [1] * 60
