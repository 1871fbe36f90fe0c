"""What holds for all adaptations: a delta gives the params that training had."""

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
    make_adaptation,
    masking,
    train_weights,
)
from maskjax.config import AdaptationConfig
from maskjax.masking import constant, flatten_with_paths, threshold_mask

ONES = np.ones((2, 2), np.float32)
KEY = jax.random.key(0)
CONFIGS = {
    "mask": {},
    "mask, head trained": {"head": "trained"},
    "mask, head both": {"head": "both", "biases": True},
    "mask of heads": {"granularity": "head", "head": "trained"},
    "mask of matrices": {"granularity": "matrix"},
    "sign": {"binarizer": "sign"},
    "bernoulli": {"binarizer": "bernoulli", "initializer": "uniform", "sparsity": 0.4},
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
def test_delta_gives_the_same_params_as_apply(model_of, parameters, move, family, name):
    model = model_of(family, 2)
    params = parameters(model)
    adaptation = make_adaptation(AdaptationConfig(**CONFIGS[name]), model)
    trainable = move(adaptation.init(KEY, params))
    applied = adaptation.apply(trainable, params)
    assert jax.tree.structure(applied) == jax.tree.structure(params)
    delta = adaptation.finalize(trainable, params)
    as_read = jax.tree.map(np.asarray, delta)  # a file gives NumPy arrays
    for given in (delta, as_read):
        merged = given.apply(params)
        assert jax.tree.structure(merged) == jax.tree.structure(params)
        jax.tree.map(lambda m, a: np.testing.assert_allclose(m, a, atol=1e-5), merged, applied)

    before, after = flatten_with_paths(params), flatten_with_paths(applied)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    touched = {path for part in trainable.values() for path in part}
    assert delta.operations.keys() == touched
    assert changed <= touched
    assert all(after[path] is before[path] for path in before.keys() - touched)
    assert touched != before.keys() or name == "finetune"


def test_trained_head_replaces_any_head_of_the_base(model_of, parameters, move):
    """A trained head replaces whatever head the base was given, and is masked after that."""
    model = model_of(layers=1)
    params = parameters(model)
    adaptation = make_adaptation(
        AdaptationConfig(head="both", initializer="uniform", sparsity=0.5), model
    )
    trainable = move(adaptation.init(KEY, params))
    blank = params | {"classifier": jax.tree.map(jnp.zeros_like, params["classifier"])}
    merged = adaptation.finalize(trainable, params).apply(blank)
    trained, kept = trainable["head"], trainable["scores"]["classifier/kernel"] > 0.01
    assert 0 < kept.sum() < kept.size
    expected = np.where(kept, trained["classifier/kernel"], np.float32(0))
    np.testing.assert_array_equal(merged["classifier"]["kernel"], expected)
    np.testing.assert_array_equal(merged["classifier"]["bias"], trained["classifier/bias"])


def test_trainable_is_float32_and_a_copy_of_the_base(model_of, parameters, name):
    """A training step donates the trainable's memory; the base must stay valid."""
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


def test_operations_are_applied_in_their_order():
    """Replace, add, mask: (2 + 3 · 4) · [1, 0], however they were joined."""
    mask = Delta.of(masks={"kernel": jnp.array([[True, False]])})
    product = Delta.of(low_rank={"kernel": (jnp.full((1, 1), 3.0), jnp.full((1, 2), 4.0))})
    weight = Delta.of(weights={"kernel": jnp.full((1, 2), 2.0)})
    for delta in (mask | product | weight, weight | product | mask):
        assert delta.apply({"kernel": jnp.ones((1, 2))})["kernel"].tolist() == [[14, 0]]


def test_later_operation_of_one_type_wins():
    one, two = (Delta.of(weights={"kernel": jnp.full(2, value)}) for value in (1.0, 2.0))
    assert (one | two).weights["kernel"].tolist() == [2, 2]


@pytest.mark.parametrize("operation", [Weight(ONES), Mask(ONES), LowRank(ONES, ONES)])
def test_a_delta_refuses_another_model(operation):
    with pytest.raises(ValueError, match=r"got \['kernl'\]; the params have \['ker"):
        Delta({"kernl": (operation,)}).apply({"kernel": ONES})


def test_sampled_masks_depend_on_the_key(model_of, parameters):
    model = model_of(layers=1)
    params = parameters(model)
    config = AdaptationConfig(binarizer="bernoulli", initializer="uniform", sparsity=0.5)
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
    """Blocks below add only the 8 products of their forward pass."""
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
