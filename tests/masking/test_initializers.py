"""Initial scores: exact counts without replacement, the paper's range, always float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from maskjax.masking import constant, magnitude, proportional, threshold_mask, uniform
from maskjax.masking.initializers import THRESHOLD, double_uniform, random_count

KEY = jax.random.key(0)
EXACT = {"magnitude": magnitude, "random": random_count, "double_uniform": double_uniform}
EVERY = {name: make(0.3) for name, make in (EXACT | {"uniform": uniform}).items()}
EVERY |= {"constant": constant(0.3), "proportional": proportional(0.3)}
MANY = jnp.ones(20_000)


def test_uniform_has_the_range_of_the_paper():
    """U(−c, (c + τ)/p − c) with c = 0.02, τ = 0.01, p = 5 % is U(−0.02, 0.58)."""
    scores = np.asarray(uniform(0.05)(KEY, MANY))
    assert -0.02 <= scores.min() < -0.0195
    assert 0.5795 < scores.max() <= 0.58
    assert stats.kstest(scores, stats.uniform(-0.02, 0.60).cdf).pvalue > 0.01


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("sparsity", [0.01, 0.05, 0.5, 0.95])
@pytest.mark.parametrize("spread", [0.02, 1.0])
def test_uniform_drops_the_requested_share(sparsity, threshold, spread):
    scores = np.asarray(uniform(sparsity, threshold=threshold, spread=spread)(KEY, MANY))
    deviation = np.sqrt(sparsity * (1 - sparsity) / scores.size)
    assert abs((scores <= threshold).mean() - sparsity) < 5 * deviation


def test_uniform_can_drop_everything():
    assert (uniform(1.0)(KEY, MANY) <= THRESHOLD).all()


@pytest.mark.parametrize("threshold", [0.0, 0.01])
def test_proportional_margins_follow_the_order_of_weights(threshold):
    weights = np.abs(np.random.default_rng(0).normal(size=(40, 50))).astype(np.float32)
    margins = np.asarray(proportional(0.2, threshold=threshold)(KEY, weights)) - threshold
    assert (margins > 0).all()
    assert margins.mean() == pytest.approx(0.2, rel=1e-4)
    np.testing.assert_allclose(margins / margins.max(), weights / weights.max(), rtol=1e-4)


def test_proportional_keeps_all_of_equal_weights():
    zeros = proportional(0.2)(KEY, jnp.zeros(3))
    assert (zeros > THRESHOLD).all()  # all alike: all kept
    some = proportional(0.2)(KEY, jnp.array([0.0, 1.0]))
    assert (some > THRESHOLD).tolist() == [False, True]
    with pytest.raises(ValueError, match="margin > 0"):
        proportional(0.0)


def test_protected_small_weights_are_kept_at_any_score():
    weights = jnp.array([0.1, 0.4, 1.0, 2.5])  # of mean 1
    free = proportional(0.2)(KEY, weights)
    np.testing.assert_array_equal(proportional(0.2, protect=0.5)(KEY, weights), free)
    transform = threshold_mask(initializer=proportional(0.2, protect=0.5), where="kernel")
    mask = transform.masks({"kernel": jnp.full(4, -9.0)}, {"kernel": weights})["kernel"]
    assert mask.tolist() == [True, True, False, False]
    with pytest.raises(ValueError, match="protect >= 0"):
        proportional(protect=-1.0)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from([(), (0, 3), (7,), (2, 3, 4)]),
    sparsity=st.floats(0, 1),
    name=st.sampled_from(list(EXACT)),
    threshold=st.sampled_from([0.01, 0.5]),
    seed=st.integers(0, 99),
)
def test_exact_initializers_drop_the_rounded_share(shape, sparsity, name, threshold, seed):
    weights = jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
    start = EXACT[name](sparsity, threshold=threshold)
    scores = np.asarray(start(jax.random.key(seed), jnp.abs(weights)))
    assert (scores <= threshold).sum() == round(sparsity * weights.size)


@pytest.mark.parametrize("name", ["random", "double_uniform"])
def test_random_positions_are_uniform(name):
    """Over many keys, each of 8 positions is dropped equally often."""
    draw = jax.jit(jax.vmap(lambda key: EXACT[name](0.25)(key, jnp.ones(8)) <= THRESHOLD))
    dropped = np.asarray(draw(jax.random.split(KEY, 2000)))
    assert (dropped.sum(1) == 2).all()
    assert stats.chisquare(dropped.sum(0)).pvalue > 0.001


@pytest.mark.parametrize("name", ["magnitude", "random"])
def test_magnitude_and_random_use_two_values(name):
    scores = EXACT[name](0.5, threshold=0.1)(KEY, jnp.arange(6.0))
    assert sorted(set(scores.tolist())) == pytest.approx([0.0, 0.2])


def test_magnitude_drops_the_smallest():
    weights = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    weights[0] = weights[1] = 0.1  # equals, of which the earlier go first
    scores = magnitude(0.25)(KEY, jnp.abs(jnp.asarray(weights)))
    smallest = np.argsort(np.abs(weights).ravel(), kind="stable")[: round(0.25 * 42)]
    np.testing.assert_array_equal(np.flatnonzero(scores <= THRESHOLD), np.sort(smallest))


def test_double_uniform_has_two_bands():
    scores = np.asarray(double_uniform(0.3, threshold=0.2)(KEY, MANY))
    dropped, kept = scores[scores <= 0.2], scores[scores > 0.2]
    for band, low in ((dropped, 0.10), (kept, 0.22)):
        assert stats.kstest(band, stats.uniform(low, 0.08).cdf).pvalue > 0.01


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_scores_are_float32(name, dtype):
    weights = jnp.ones((3, 4), dtype)
    scores = EVERY[name](KEY, weights)
    assert (scores.dtype, scores.shape) == (jnp.float32, (3, 4))


@pytest.mark.parametrize("name", ["uniform", "random", "double_uniform"])
def test_scores_follow_their_key(name):
    first, again, other = (EVERY[name](jax.random.key(seed), MANY) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("make", EXACT.values())
@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan")])
def test_impossible_sparsities_are_refused(make, sparsity):
    with pytest.raises(ValueError, match=r"sparsity in \[0, 1\]"):
        make(sparsity)


@pytest.mark.parametrize("make", EXACT.values())
def test_threshold_of_zero_is_refused(make):
    with pytest.raises(ValueError, match="threshold > 0, got 0"):
        make(0.5, threshold=0.0)


@pytest.mark.parametrize("sparsity", [0.0, 1.1, float("nan")])
def test_uniform_refuses_impossible_sparsities(sparsity):
    with pytest.raises(ValueError, match=r"sparsity in \(0, 1\]"):
        uniform(sparsity)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (constant, "score"),
        (lambda x: uniform(0.5, threshold=x), "threshold"),
        (lambda x: uniform(0.5, spread=x), "spread"),
        (proportional, "margin"),
        (lambda x: proportional(threshold=x), "threshold"),
        (lambda x: proportional(protect=x), "protect"),
        (lambda x: magnitude(0.5, threshold=x), "threshold"),
        (lambda x: random_count(0.5, threshold=x), "threshold"),
        (lambda x: double_uniform(0.5, threshold=x), "threshold"),
        (lambda x: threshold_mask(threshold=x), "threshold"),
    ],
)
def test_settings_that_are_not_finite_are_refused(make, name, number):
    with pytest.raises(ValueError, match=f"Expected a finite {name}, got {number}"):
        make(number)


def test_empty_uniform_range_is_refused():
    with pytest.raises(ValueError, match=r"spread > 0\.02"):
        uniform(0.5, threshold=-0.02, spread=0.02)
