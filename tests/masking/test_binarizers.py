"""Binarisers against NumPy, and their gradients against straight-through from `stop_gradient`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import stop_gradient

from maskjax.masking import bernoulli, clipped_sign, hard_threshold, top_k

KEY = jax.random.key(7)
BINARIZERS = {
    "threshold": hard_threshold,
    "sign": clipped_sign,
    "likelier": bernoulli,
    "sampled": lambda scores: bernoulli(scores, KEY),
    "top_k": lambda scores: top_k(scores, 30),
}


def hard(name: str, scores: jax.Array) -> jax.Array:
    """The mask, without anything of the library."""
    if name == "top_k":
        smallest_kept = jnp.sort(scores, axis=None)[-30]
        return (scores >= smallest_kept).astype(scores.dtype)
    if name == "sampled":
        draws = jax.random.uniform(KEY, scores.shape, scores.dtype)
        return (draws < jax.nn.sigmoid(scores)).astype(scores.dtype)
    return (scores > {"threshold": 0.01, "sign": 0.0, "likelier": 0.0}[name]).astype(scores.dtype)


def surrogate(name: str, scores: jax.Array) -> jax.Array:
    """What the gradient takes the binariser for."""
    if name == "sign":
        return jnp.clip(scores, -1, 1)
    return jax.nn.sigmoid(scores) if name in ("likelier", "sampled") else scores


def straight_through(name: str, scores: jax.Array) -> jax.Array:
    smooth = surrogate(name, scores)
    return smooth + stop_gradient(hard(name, scores) - smooth)


@pytest.fixture(params=BINARIZERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def scores() -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(0, 2, (9, 7)), jnp.float32)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_masks_are_the_formula(name, scores, dtype):
    distinct = np.unique(np.asarray(scores.astype(dtype)))  # no ties for top-k to break
    scores = jnp.asarray(distinct)
    mask = BINARIZERS[name](scores)
    assert mask.dtype == dtype
    assert set(mask.astype(jnp.float32).tolist()) == {0.0, 1.0}
    np.testing.assert_array_equal(mask, hard(name, scores))


def test_gradients_are_straight_through(name, scores):
    """With a loss that is not linear in the mask, under jit and not."""
    rng = np.random.default_rng(1)
    a, b = (jnp.asarray(rng.normal(size=scores.shape), jnp.float32) for _ in range(2))

    def loss(binarize, s):
        mask = binarize(s)
        return (a * mask + jnp.cos(b * mask)).sum()

    value, gradient = jax.value_and_grad(lambda s: loss(BINARIZERS[name], s))(scores)
    expected = jax.grad(lambda s: loss(lambda t: straight_through(name, t), s))(scores)
    np.testing.assert_allclose(value, loss(lambda s: hard(name, s), scores), rtol=1e-6)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
    compiled = jax.jit(jax.grad(lambda s: loss(BINARIZERS[name], s)))(scores)
    np.testing.assert_allclose(compiled, gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_gradients_keep_the_dtype(name, scores, dtype):
    gradient = jax.grad(lambda s: BINARIZERS[name](s).sum())(scores.astype(dtype))
    assert (gradient.dtype, gradient.shape) == (dtype, scores.shape)


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
@pytest.mark.parametrize("threshold", [-0.3, 0.01, 0.5])
def test_a_score_at_the_threshold_is_dropped(threshold, dtype):
    at = jnp.asarray(threshold, dtype)
    above, below = (jnp.nextafter(at, jnp.asarray(end, dtype)) for end in (9, -9))
    mask = hard_threshold(jnp.stack([below, at, above]), threshold)
    assert mask.tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["threshold", "sign", "likelier", "sampled"])
def test_edges(name):
    """Minus zero is zero; infinite scores are sure; what is no number is dropped."""
    edges = jnp.array([-jnp.inf, jnp.nan, -0.0, jnp.inf])
    mask = BINARIZERS[name](edges)
    assert mask[np.array([0, 1, 3])].tolist() == [0, 0, 1]
    assert name == "sampled" or mask[2] == 0


def test_sign_drops_zero():
    assert clipped_sign(jnp.array([0.0, -0.0])).tolist() == [0.0, 0.0]


def test_sign_stops_moving_at_one():
    scores = jnp.array([-1.001, -1.0, -0.999, 0.0, 0.999, 1.0, 1.001, jnp.inf])
    gradient = jax.grad(lambda s: (2 * clipped_sign(s)).sum())(scores)
    assert gradient.tolist() == [0, 0, 2, 2, 2, 0, 0, 0]


def test_bernoulli_keeps_as_often_as_the_sigmoid_says():
    draws = 20_000
    scores = jnp.array([-3.0, -1.0, 0.0, 0.5, 2.0])
    sampled = bernoulli(jnp.broadcast_to(scores[None, :], (draws, 5)), KEY)
    probability = 1 / (1 + np.exp(-np.asarray(scores, np.float64)))
    deviation = np.sqrt(probability * (1 - probability) / draws)
    assert (np.abs(np.asarray(sampled).mean(0) - probability) < 5 * deviation).all()


def test_bernoulli_follows_its_key(scores):
    scores = scores / 4
    np.testing.assert_array_equal(bernoulli(scores, KEY), bernoulli(scores, KEY))
    assert (bernoulli(scores, KEY) != bernoulli(scores, jax.random.key(8))).any()


@pytest.mark.parametrize("keep", [0, 1, 17, 40])
def test_top_k_keeps_the_earlier_of_equals(keep):
    """Against a stable sort; scores from few values, of both zeros and infinities."""
    values = np.array([-np.inf, -1, -0.0, 0.0, 0.5, np.inf], np.float32)
    scores = np.random.default_rng(keep).choice(values, (30, 5, 8))
    masks = jax.jit(jax.vmap(lambda s: top_k(s, keep)))(scores)
    for mask, row in zip(np.asarray(masks), scores, strict=True):
        kept = np.argsort(-row.ravel(), kind="stable")[:keep]
        np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(kept))


@pytest.mark.parametrize("keep", [0, 63])
def test_top_k_of_nothing_and_of_everything(scores, keep):
    assert top_k(scores, keep).sum() == keep
    np.testing.assert_array_equal(jax.grad(lambda s: top_k(s, keep).sum())(scores), 1)


@pytest.mark.parametrize("keep", [-1, 64])
def test_top_k_of_an_impossible_count(scores, keep):
    with pytest.raises(ValueError, match=rf"\[0, 63\], got {keep}"):
        top_k(scores, keep)
