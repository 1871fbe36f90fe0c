"""What holds for all adaptations: frozen and merged they are what they were in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.adaptation import combine, make_adaptation, masking, merge, train_weights
from maskjax.config import AdaptationConfig
from maskjax.masking import constant, leaves_by_path, threshold_mask

KEY = jax.random.key(0)
CONFIGS = {
    "mask": {},
    "mask, head trained": {"head": "trained"},
    "mask, head both": {"head": "both", "biases": True},
    "mask of heads": {"granularity": "head", "head": "trained"},
    "mask of matrices": {"granularity": "matrix"},
    "sign": {"binarizer": "sign"},
    "bernoulli": {"binarizer": "bernoulli", "start": "uniform", "sparsity": 0.4},
    "top_k": {"binarizer": "top_k", "sparsity": 0.3},
    "global_top_k": {"binarizer": "global_top_k", "sparsity": 0.3},
    "finetune": {"method": "finetune"},
    "head": {"method": "head"},
    "lora": {"method": "lora", "rank": 3},
    "bitfit": {"method": "bitfit"},
}


@pytest.fixture(params=CONFIGS)
def name(request) -> str:
    return request.param


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_merging_the_frozen_is_applying_the_trained(model_of, parameters, move, family, name):
    model = model_of(family, 2)
    params = parameters(model)
    adaptation = make_adaptation(AdaptationConfig(**CONFIGS[name]), model)
    trainable = move(adaptation.init(KEY, params))
    applied = adaptation.apply(trainable, params)
    assert jax.tree.structure(applied) == jax.tree.structure(params)
    frozen = adaptation.freeze(trainable, params)
    as_read = jax.tree.map(np.asarray, frozen)  # a file gives NumPy arrays
    for given in (frozen, as_read):
        merged = merge(given, params)
        assert jax.tree.structure(merged) == jax.tree.structure(params)
        jax.tree.map(lambda m, a: np.testing.assert_allclose(m, a, atol=1e-5), merged, applied)

    before, after = leaves_by_path(params), leaves_by_path(applied)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    touched = {path for part in trainable.values() for path in part}
    assert {path for sort in frozen.values() for path in sort} == touched
    assert changed <= touched
    assert all(after[path] is before[path] for path in before.keys() - touched)
    assert touched != before.keys() or name == "finetune"


def test_a_head_that_is_not_the_tasks_does_not_matter(model_of, parameters, move):
    """A trained head replaces whatever head the base was given, and is masked after that."""
    model = model_of(layers=1)
    params = parameters(model)
    adaptation = make_adaptation(
        AdaptationConfig(head="both", start="uniform", sparsity=0.5), model
    )
    trainable = move(adaptation.init(KEY, params))
    blank = params | {"classifier": jax.tree.map(jnp.zeros_like, params["classifier"])}
    merged = merge(adaptation.freeze(trainable, params), blank)
    trained, kept = trainable["head"], trainable["scores"]["classifier/kernel"] > 0.01
    assert 0 < kept.sum() < kept.size
    expected = np.where(kept, trained["classifier/kernel"], np.float32(0))
    np.testing.assert_array_equal(merged["classifier"]["kernel"], expected)
    np.testing.assert_array_equal(merged["classifier"]["bias"], trained["classifier/bias"])


def test_the_trainable_is_float32_and_no_view_of_the_base(model_of, parameters, name):
    """A training step gives away the trainable's memory; the base must live on."""
    model = model_of(layers=2)
    params = parameters(model)
    before = jax.tree.map(np.array, params)
    trainable = make_adaptation(AdaptationConfig(**CONFIGS[name]), model).init(KEY, params)
    for leaf in jax.tree.leaves(trainable):
        assert leaf.dtype == jnp.float32
        leaf.delete()
    jax.tree.map(np.testing.assert_array_equal, params, before)


@pytest.mark.parametrize("name", ["finetune", "head", "bitfit", "lora"])
def test_baselines_start_at_the_base(model_of, parameters, name):
    model = model_of(layers=2)
    params = parameters(model)
    adaptation = make_adaptation(AdaptationConfig(method=name), model)
    start = adaptation.apply(adaptation.init(KEY, params), params)
    jax.tree.map(np.testing.assert_array_equal, start, params)
    assert adaptation.stats(adaptation.init(KEY, params), params) == {}


def test_parts_are_applied_in_their_order():
    """A mask over a trained weight masks it; the other way round it is overwritten."""
    params = {"kernel": jnp.ones(3)}
    weight = train_weights(["kernel"])
    mask = masking(threshold_mask(initializer=constant(1.0), where=["kernel"]))
    trainable = {
        "weight": {"kernel": jnp.full(3, 5.0)},
        "mask": {"kernel": jnp.array([1.0, 0.0, 1.0])},
    }
    masked = combine(weight=weight, mask=mask).apply(trainable, params)
    assert masked["kernel"].tolist() == [5, 0, 5]
    overwritten = combine(mask=mask, weight=weight).apply(trainable, params)
    assert overwritten["kernel"].tolist() == [5, 5, 5]


def test_parts_are_merged_in_their_order():
    """Replace, add, mask: (2 + 3 · 4) · [1, 0]."""
    frozen = {
        "mask": {"kernel": jnp.array([[True, False]])},
        "lora_b": {"kernel": jnp.full((1, 2), 4.0)},
        "lora_a": {"kernel": jnp.full((1, 1), 3.0)},
        "weight": {"kernel": jnp.full((1, 2), 2.0)},
    }
    assert merge(frozen, {"kernel": jnp.ones((1, 2))})["kernel"].tolist() == [[14, 0]]


@pytest.mark.parametrize("sort", ["weight", "mask", "lora_a"])
def test_merging_into_another_model(sort):
    frozen = {sort: {"kernl": jnp.ones((2, 2))}, "lora_b": {"kernl": jnp.ones((2, 2))}}
    with pytest.raises(ValueError, match=r"got \['kernl'\]; the params have \['ker"):
        merge(frozen, {"kernel": jnp.ones((2, 2))})


def test_a_key_reaches_the_parts_that_sample(model_of, parameters):
    model = model_of(layers=1)
    params = parameters(model)
    config = AdaptationConfig(binarizer="bernoulli", start="uniform", sparsity=0.5)
    adaptation = make_adaptation(config, model)
    trainable = adaptation.init(KEY, params)
    one, again, two = (
        adaptation.apply(trainable, params, key=jax.random.key(seed)) for seed in (1, 1, 2)
    )
    jax.tree.map(np.testing.assert_array_equal, one, again)
    assert (one["pooler"]["dense"]["kernel"] != two["pooler"]["dense"]["kernel"]).any()


def products(model, config: AdaptationConfig, params) -> int:
    """Matrix products in loss and gradient of an adapted model."""
    run, adaptation = model.apply, make_adaptation(config, model)
    ids = jnp.ones((2, 5), jnp.int32)
    inputs = {"input_ids": ids, "attention_mask": ids, "token_type_ids": 0 * ids}

    def loss(trainable, params):
        return run(adaptation.apply(trainable, params), inputs).sum()

    trainable = jax.eval_shape(adaptation.init, KEY, params)
    return str(jax.make_jaxpr(jax.grad(loss))(trainable, params)).count("dot_general[")


def test_nothing_below_the_lowest_adapted_block_is_differentiated(model_of, parameters):
    """Blocks below add the 8 products of their forward pass and no others."""
    models = {layers: model_of(layers=layers) for layers in (1, 3)}
    params = {layers: parameters(model) for layers, model in models.items()}
    for config in ({}, {"method": "lora"}):
        one, three = (
            products(models[n], AdaptationConfig(blocks=(n - 1, n - 1), **config), params[n])
            for n in (1, 3)
        )
        assert three - one == 2 * 8
    head = products(models[3], AdaptationConfig(method="head"), params[3])
    assert head == 3 * 8 + 2 + 1  # pooler and classifier forward, the classifier's kernel back
