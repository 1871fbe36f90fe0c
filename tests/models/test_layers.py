"""The small computations, against formulas in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.models.layers import Dense, LayerNorm, dropout, gelu, site_key


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(2, 3, (5, 16)).astype(np.float32)


def test_dense_is_an_affine_map(x):
    layer, rng = Dense(16, 3, jnp.float32), np.random.default_rng(1)
    kernel, bias = rng.normal(size=(16, 3)), rng.normal(size=3)
    layer.kernel[...] = jnp.asarray(kernel, jnp.float32)
    layer.bias[...] = jnp.asarray(bias, jnp.float32)
    np.testing.assert_allclose(layer(jnp.asarray(x)), x @ kernel + bias, atol=1e-5)


def test_dense_computes_in_its_dtype(x):
    assert Dense(16, 3, jnp.bfloat16)(jnp.asarray(x)).dtype == jnp.bfloat16


@pytest.mark.parametrize("epsilon", [1e-12, 0.5])
def test_layer_norm_matches_the_formula(x, epsilon):
    layer, rng = LayerNorm(16, epsilon, jnp.float32), np.random.default_rng(1)
    scale, bias = rng.normal(size=16), rng.normal(size=16)
    layer.scale[...] = jnp.asarray(scale, jnp.float32)
    layer.bias[...] = jnp.asarray(bias, jnp.float32)
    wide = x.astype(np.float64)
    normal = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + epsilon)
    np.testing.assert_allclose(layer(jnp.asarray(x)), normal * scale + bias, atol=2e-6)


def test_layer_norm_computes_in_float32(x):
    # In bfloat16 the mean of values near 1000 would be off by whole units.
    shifted = jnp.asarray(x + 1000, jnp.bfloat16)
    result = LayerNorm(16, 1e-12, jnp.bfloat16)(shifted)
    exact = LayerNorm(16, 1e-12, jnp.float32)(shifted)
    assert result.dtype == jnp.bfloat16
    np.testing.assert_allclose(result.astype(jnp.float32), exact, atol=0.01)


def test_gelu_is_exact():
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    exact = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(gelu(jnp.asarray(x)), exact, atol=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_has_its_rate_and_scale(rate):
    count = 200_000
    result = np.asarray(dropout(jnp.full((count,), 3.0), rate, jax.random.key(0)))
    np.testing.assert_allclose(result[result != 0], 3 / (1 - rate), rtol=1e-6)
    deviation = math.sqrt(rate * (1 - rate) / count)
    assert abs((result == 0).mean() - rate) < 5 * deviation


def test_dropout_follows_its_key(x):
    x = jnp.asarray(x)
    same, again, other = (dropout(x, 0.5, jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(same, again)
    assert (np.asarray(same) != np.asarray(other)).any()


def test_dropout_without_key_or_rate_is_the_identity(x):
    assert dropout(x, 0.5, None) is x
    assert dropout(x, 0.0, jax.random.key(0)) is x


def test_dropout_keeps_the_dtype(x):
    assert dropout(jnp.asarray(x, jnp.bfloat16), 0.5, jax.random.key(0)).dtype == jnp.bfloat16


def test_site_keys_differ():
    keys = [site_key(jax.random.key(0), site) for site in range(3)]
    assert len({jax.random.key_data(key).tobytes() for key in keys}) == 3
    assert site_key(None, 0) is None
