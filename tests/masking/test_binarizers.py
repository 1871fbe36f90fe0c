"""Binarizers against NumPy, and their gradients against straight-through from `stop_gradient`."""

from functools import partial

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
    "likelier, slope": partial(bernoulli, gradient="sigmoid"),
    "sampled, slope": partial(bernoulli, key=KEY, gradient="sigmoid"),
    "top_k": lambda scores: top_k(scores, 30),
}


def hard(name: str, scores: jax.Array) -> jax.Array:
    """The mask in NumPy."""
    if name == "top_k":
        smallest_kept = jnp.sort(scores, axis=None)[-30]
        return (scores >= smallest_kept).astype(scores.dtype)
    if name.startswith("sampled"):
        draws = jax.random.uniform(KEY, scores.shape, scores.dtype)
        return (draws < jax.nn.sigmoid(scores)).astype(scores.dtype)
    return (scores > (0.01 if name == "threshold" else 0.0)).astype(scores.dtype)


def surrogate(name: str, scores: jax.Array) -> jax.Array:
    """The function whose gradient the binarizer has."""
    if name == "sign":
        return jnp.clip(scores, -1, 1)
    return jax.nn.sigmoid(scores) if name.endswith("slope") else scores


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
def test_masks_match_the_formula(name, scores, dtype):
    distinct = np.unique(np.asarray(scores.astype(dtype)))  # no ties for top-k to break
    scores = jnp.asarray(distinct)
    mask = BINARIZERS[name](scores)
    assert mask.dtype == dtype
    assert set(mask.astype(jnp.float32).tolist()) == {0.0, 1.0}
    np.testing.assert_array_equal(mask, hard(name, scores))


def test_gradients_are_straight_through(name, scores):
    """The loss is not linear in the mask; with and without jit."""
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
def test_negative_zero_is_dropped_and_infinities_are_certain(name):
    """Minus zero equals zero, and infinite scores are certain."""
    mask = BINARIZERS[name](jnp.array([-jnp.inf, -0.0, jnp.inf]))
    assert mask[np.array([0, 2])].tolist() == [0, 1]
    assert name == "sampled" or mask[1] == 0


def test_nan_scores_are_refused_or_give_nan_under_jit(name, scores):
    """NaN scores are refused outside jit; under jit only their mask entries are NaN."""
    broken = scores.at[3, 2].set(jnp.nan)
    with pytest.raises(ValueError, match="scores: expected numbers, got NaN"):
        BINARIZERS[name](broken)
    mask = jax.jit(BINARIZERS[name])(broken)
    np.testing.assert_array_equal(np.isnan(mask), np.isnan(broken))


def test_nan_thresholds_are_refused_or_give_nan_under_jit(scores):
    with pytest.raises(ValueError, match="threshold: expected numbers, got NaN"):
        hard_threshold(scores, float("nan"))
    assert np.isnan(jax.jit(hard_threshold)(scores, jnp.nan)).all()


def test_a_threshold_can_be_traced(scores):
    """One program serves all thresholds, and the gradient in the scores is unchanged."""
    gradient = jax.jit(jax.grad(lambda s, t: (3 * hard_threshold(s, t)).sum()))
    for threshold in (-0.5, 0.01, 0.7):
        mask = jax.jit(hard_threshold)(scores, threshold)
        np.testing.assert_array_equal(mask, np.asarray(scores) > np.float32(threshold))
        np.testing.assert_array_equal(gradient(scores, threshold), 3)


def test_integer_scores_are_refused(name):
    with pytest.raises(ValueError, match="scores: expected a floating dtype, got int32"):
        BINARIZERS[name](jnp.arange(63).reshape(9, 7))


def test_unknown_gradient_is_refused(scores):
    with pytest.raises(ValueError, match="'identity' or 'sigmoid', got 'slope'"):
        bernoulli(scores, gradient="slope")


@pytest.mark.parametrize("gradient", ["identity", "sigmoid"])
def test_bernoulli_gradients_match_pytorch(scores, gradient):
    """autograd with the reference code's straight-through gets the same draws and weights."""
    torch = pytest.importorskip("torch")

    class Binarize(torch.autograd.Function):
        @staticmethod
        def forward(ctx, numbers, draws, bound):
            return (draws < bound).to(numbers.dtype)

        @staticmethod
        def backward(ctx, upstream):
            return upstream, None, None

    rng = np.random.default_rng(2)
    weight, x = (rng.normal(size=shape).astype(np.float32) for shape in ((9, 7), (5, 9)))
    draws = np.array(jax.random.uniform(KEY, scores.shape, scores.dtype))

    leaf = torch.tensor(np.array(scores), requires_grad=True)
    chance = torch.sigmoid(leaf)
    through = leaf if gradient == "identity" else chance
    mask = Binarize.apply(through, torch.from_numpy(draws), chance.detach())
    torch.tanh(torch.from_numpy(x) @ (torch.from_numpy(weight) * mask)).square().sum().backward()

    def loss(scores):
        masked = weight * bernoulli(scores, KEY, gradient=gradient)
        return jnp.square(jnp.tanh(x @ masked)).sum()

    np.testing.assert_allclose(jax.grad(loss)(scores), leaf.grad, rtol=1e-4, atol=1e-5)


def test_sign_drops_zero():
    assert clipped_sign(jnp.array([0.0, -0.0])).tolist() == [0.0, 0.0]


def test_sign_gradient_is_zero_from_one_on():
    scores = jnp.array([-1.001, -1.0, -0.999, 0.0, 0.999, 1.0, 1.001, jnp.inf])
    gradient = jax.grad(lambda s: (2 * clipped_sign(s)).sum())(scores)
    assert gradient.tolist() == [0, 0, 2, 2, 2, 0, 0, 0]


def test_bernoulli_keep_rate_is_the_sigmoid_of_the_score():
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
def test_top_k_keeps_the_first_of_equal_scores(keep):
    """A stable sort agrees on scores from few values, with both zeros and infinities."""
    values = np.array([-np.inf, -1, -0.0, 0.0, 0.5, np.inf], np.float32)
    scores = np.random.default_rng(keep).choice(values, (30, 5, 8))
    masks = jax.jit(jax.vmap(lambda s: top_k(s, keep)))(scores)
    for mask, row in zip(np.asarray(masks), scores, strict=True):
        kept = np.argsort(-row.ravel(), kind="stable")[:keep]
        np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(kept))


@pytest.mark.parametrize("keep", [0, 63])
def test_top_k_can_keep_nothing_or_everything(scores, keep):
    assert top_k(scores, keep).sum() == keep
    np.testing.assert_array_equal(jax.grad(lambda s: top_k(s, keep).sum())(scores), 1)


@pytest.mark.parametrize("keep", [-1, 64])
def test_top_k_refuses_an_impossible_count(scores, keep):
    with pytest.raises(ValueError, match=rf"\[0, 63\], got {keep}"):
        top_k(scores, keep)
