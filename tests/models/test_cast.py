"""Frozen matrices in bfloat16: which leaves are rounded, and how the logits change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import flatten_with_paths
from maskjax.models import build_model, cast_matrices, head_paths


@pytest.fixture(params=["bert", "roberta", "distilbert"])
def model(request, tiny_config):
    return build_model(tiny_config(request.param), 3)


def random_params(model):
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(0, 0.3, leaf.shape).astype(np.float32)),
        model.abstract,
    )


def test_only_matrices_are_rounded(model):
    params = random_params(model)
    before, after = (
        flatten_with_paths(p) for p in (params, cast_matrices(params, model, "bfloat16"))
    )
    rounded = {path for path, leaf in after.items() if leaf.dtype == jnp.bfloat16}
    matrices = {path for path in before if path.endswith(("/kernel", "/embedding"))}
    assert rounded == matrices - set(head_paths(model))
    for path in before.keys() - rounded:
        assert after[path] is before[path], path


def test_logits_change_only_by_the_rounding_of_weights(model, tiny_inputs):
    params = random_params(model)
    rounded = jax.tree.map(
        lambda half: half.astype(jnp.float32), cast_matrices(params, model, "bfloat16")
    )
    logits = model.apply(cast_matrices(params, model, "bfloat16"), tiny_inputs)
    assert logits.dtype == jnp.float32
    np.testing.assert_array_equal(logits, model.apply(rounded, tiny_inputs))
    assert 0 < np.abs(logits - model.apply(params, tiny_inputs)).max() < 0.1
