"""The jitted step: what it computes, what it leaves alone, how often it compiles."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.adaptation import make_adaptation
from maskjax.config import AdaptationConfig, OptimizerConfig
from maskjax.masking import flatten_with_paths
from maskjax.models import EncoderConfig, build_model
from maskjax.training import (
    cycle_ends,
    init_state,
    make_loss,
    make_optimizer,
    make_schedule,
    make_train_step,
)

TINY = {
    "model_type": "bert",
    "vocab_size": 32,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
ENCODER = EncoderConfig.from_hf(TINY, "tiny")
METHODS = ("mask", "finetune", "head", "lora", "bitfit")


@pytest.fixture(scope="module")
def model():
    return build_model(ENCODER, 3)


@pytest.fixture(scope="module")
def params(model):
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(0, 0.3, leaf.shape), jnp.float32), model.abstract
    )


def make_batch(length=6, rows=4, seed=0, weights=None):
    random = np.random.default_rng(seed)
    return {
        "input_ids": random.integers(1, 32, (rows, length)).astype(np.int32),
        "attention_mask": np.ones((rows, length), np.int32),
        "token_type_ids": np.zeros((rows, length), np.int32),
        "labels": random.integers(0, 3, rows).astype(np.int32),
        "weights": np.ones(rows, np.float32) if weights is None else weights,
    }


def build(model, params, config=None, optimizer=None):
    adaptation = make_adaptation(config or AdaptationConfig(), model)
    transformation = make_optimizer(optimizer or OptimizerConfig(), 100)
    loss = make_loss("classification")
    step = make_train_step(model, adaptation, transformation, loss)
    return step, init_state(adaptation, transformation, params, jax.random.key(0))


@pytest.mark.parametrize("method", METHODS)
def test_step_of_every_method_leaves_the_base_unchanged(model, params, method):
    before = jax.tree.map(np.array, params)
    step, state = build(model, params, AdaptationConfig(method=method))
    start = jax.tree.map(np.array, state.trainable)
    for seed in range(3):
        state, metrics = step(state, params, make_batch(seed=seed))
    assert np.isfinite(float(metrics["loss"]))
    jax.tree.map(np.testing.assert_array_equal, before, params)
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(start), jax.tree.leaves(state.trainable), strict=True)
    ]
    assert any(moved)


def test_step_compiles_once_per_length_only(model, params):
    step, state = build(model, params)
    chex.clear_trace_counter()
    step = jax.jit(chex.assert_max_traces(step.__wrapped__, n=2))
    for length in (6, 9, 6, 9, 6):
        state, _ = step(state, params, make_batch(length))


def test_the_state_is_donated(model, params):
    step, state = build(model, params)
    leaf = next(iter(state.trainable["scores"].values()))
    step(state, params, make_batch())
    assert leaf.is_deleted()


def test_rows_of_weight_zero_do_not_count(model, params):
    weights = np.array([1, 1, 0, 0], np.float32)
    one, two = make_batch(weights=weights), make_batch(weights=weights)
    two["input_ids"][2:], two["labels"][2:] = 7, 1
    results = []
    for batch in (one, two, {name: array[:2] for name, array in one.items()}):
        step, state = build(model, params)
        state, metrics = step(state, params, batch)
        results.append((metrics["loss"], state.trainable))
    for other in results[1:]:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), results[0], other
        )


def test_blocks_below_the_adapted_ones_have_no_backward_pass(model, params):
    """A block has 8 products in its forward pass and more in its backward pass."""

    def products(config):
        step, state = build(model, params, config)
        text = str(jax.make_jaxpr(step)(state, params, make_batch()))
        return text.count("dot_general")

    whole = products(AdaptationConfig(blocks=(0, 1)))
    upper = products(AdaptationConfig(blocks=(1, 1)))
    head = products(AdaptationConfig(method="head"))
    forward = 2 * 8 + 2
    assert head < forward + 4
    assert upper < whole - 8
    assert head < upper


def test_cross_entropy_matches_the_formula():
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(5, 3)), random.integers(0, 3, 5)
    weights = np.array([1, 0, 1, 1, 0], np.float32)
    rows = np.log(np.exp(logits).sum(1)) - logits[np.arange(5), labels]
    expected = (rows * weights).sum() / 3
    loss = make_loss("classification")(
        jnp.asarray(logits, jnp.float32), jnp.asarray(labels), jnp.asarray(weights)
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", ["cosine", "linear", "constant"])
def test_schedule_matches_the_formula(shape):
    config = OptimizerConfig(schedule=shape, warmup=0.2)
    schedule = make_schedule(config, 2.0, 50)
    for step in (0, 3, 9, 10, 30, 49, 50):
        done = (step - 10) / 40
        expected = {
            "cosine": 1 + np.cos(np.pi * done),
            "linear": 2 * (1 - done),
            "constant": 2.0,
        }[shape]
        if step < 10:
            expected = 2 / 11 + (2 - 2 / 11) * step / 10
        np.testing.assert_allclose(schedule(step), expected, rtol=1e-5, atol=1e-6)


def test_restarts_decay_to_zero_in_every_cycle():
    """The schedule has three cycles of 30 steps after a warm-up of 10."""
    config = OptimizerConfig(schedule="restarts", cycles=3, warmup=0.1)
    schedule = make_schedule(config, 2.0, 100)
    for step in (10, 25, 39, 40, 69, 70, 99):
        expected = 1 + np.cos(np.pi * ((step - 10) % 30) / 30)
        np.testing.assert_allclose(schedule(step), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(schedule(100), 0, atol=1e-6)
    np.testing.assert_allclose(schedule(0), 2 / 11, rtol=1e-6)


def test_cycles_are_as_even_as_steps_allow():
    def ends(cycles, steps, warmup=0.0):
        config = OptimizerConfig(schedule="restarts", cycles=cycles, warmup=warmup)
        assert np.isfinite(make_schedule(config, 1.0, steps)(steps - 1))
        return cycle_ends(config, steps)

    assert ends(3, 10) == (3, 6, 10)
    assert ends(4, 12, 1 / 3) == (6, 8, 10, 12)
    assert ends(5, 3) == (1, 2, 3)
    assert cycle_ends(OptimizerConfig(), 10) == ()


def test_the_head_moves_at_its_own_rate():
    config = OptimizerConfig(
        name="sgd",
        learning_rate=1e-2,
        head_learning_rate=1e-4,
        schedule="constant",
        warmup=0.0,
        clip=0.0,
    )
    trainable = {"scores": {"a": jnp.ones(2)}, "head": {"b": jnp.ones(2)}}
    optimizer = make_optimizer(config, 10)
    updates, _ = optimizer.update(trainable, optimizer.init(trainable), trainable)
    np.testing.assert_allclose(updates["scores"]["a"], -1e-2)
    np.testing.assert_allclose(updates["head"]["b"], -1e-4)


def test_gradients_are_clipped_over_all_parts_together():
    config = OptimizerConfig(
        name="sgd", schedule="constant", learning_rate=1.0, warmup=0.0, clip=1.0
    )
    gradients = {"scores": {"a": jnp.full(1, 3.0)}, "head": {"b": jnp.full(1, 4.0)}}
    optimizer = make_optimizer(config, 10)
    updates, _ = optimizer.update(gradients, optimizer.init(gradients), gradients)
    np.testing.assert_allclose(optax.tree.norm(updates), 1.0, rtol=1e-6)
    np.testing.assert_allclose(updates["scores"]["a"], -0.6, rtol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "signsgd"])
def test_score_decay_changes_scores_only_by_the_learning_rate(name):
    config = OptimizerConfig(
        name=name,
        schedule="constant",
        learning_rate=0.5,
        warmup=0.0,
        weight_decay=0.0,
        score_decay=0.1,
    )
    trainable = {"scores": {"a": jnp.ones((2, 2))}, "weights": {"b": jnp.ones(2)}}
    without = make_optimizer(dataclasses.replace(config, score_decay=0.0), 10)
    optimizer = make_optimizer(config, 10)
    gradients = jax.tree.map(lambda leaf: 3 * leaf, trainable)
    plain, _ = without.update(gradients, without.init(trainable), trainable)
    decayed, _ = optimizer.update(gradients, optimizer.init(trainable), trainable)
    np.testing.assert_allclose(decayed["scores"]["a"], plain["scores"]["a"] + 0.05, rtol=1e-5)
    np.testing.assert_array_equal(decayed["weights"]["b"], plain["weights"]["b"])


def test_adamw_matches_optax():
    config = OptimizerConfig(schedule="constant", learning_rate=0.1, warmup=0.0, clip=0.0)
    trainable = {"weights": {"b": jnp.arange(6.0).reshape(2, 3)}}
    ours, theirs = make_optimizer(config, 10), optax.adamw(0.1, weight_decay=0.01)
    states = [ours.init(trainable), theirs.init(trainable)]
    for step in range(3):
        gradients = jax.tree.map(lambda leaf, step=step: leaf - step, trainable)
        found, states[0] = ours.update(gradients, states[0], trainable)
        expected, states[1] = theirs.update(gradients, states[1], trainable)
        np.testing.assert_allclose(found["weights"]["b"], expected["weights"]["b"], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("sgd", optax.sgd(0.1, momentum=0.9)), ("signsgd", optax.sign_sgd(0.1))],
)
def test_sgd_and_signsgd_match_optax(name, theirs):
    config = OptimizerConfig(
        name=name, schedule="constant", learning_rate=0.1, warmup=0.0, clip=0.0
    )
    ours = make_optimizer(config, 10)
    trainable = {"weights": {"b": jnp.arange(6.0).reshape(2, 3)}}
    states = [ours.init(trainable), theirs.init(trainable)]
    for step in range(3):
        gradients = jax.tree.map(lambda leaf, step=step: leaf - step, trainable)
        found, states[0] = ours.update(gradients, states[0], trainable)
        expected, states[1] = theirs.update(gradients, states[1], trainable)
        np.testing.assert_allclose(found["weights"]["b"], expected["weights"]["b"], rtol=1e-6)


def test_multiplier_has_its_own_rate_without_clipping_or_decay():
    config = OptimizerConfig(learning_rate=1e-3, warmup=0.5, clip=0.1, multiplier_learning_rate=4.0)
    trainable = {"scores": {"a": jnp.ones((2, 2))}, "multiplier": jnp.float32(5)}
    gradients = {"scores": {"a": jnp.full((2, 2), 0.05)}, "multiplier": jnp.float32(-30)}
    optimizer = make_optimizer(config, 100)
    updates, state = optimizer.update(gradients, optimizer.init(trainable), trainable)
    assert updates["multiplier"] == pytest.approx(4.0, rel=1e-4)  # the first step of Adam
    still = jax.tree.map(jnp.zeros_like, gradients)
    no_gradient, _ = optimizer.update(still, optimizer.init(trainable), trainable)
    assert no_gradient["multiplier"] == 0
    # Norms up to the limit stay: the multiplier's gradient is no part of them.
    moments = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (2, 2)]
    np.testing.assert_allclose(moments[0], 0.1 * gradients["scores"]["a"], rtol=1e-5)


def test_weights_decay_and_scores_do_not():
    config = OptimizerConfig(schedule="constant", learning_rate=0.5, warmup=0.0, weight_decay=0.1)
    matrix = jnp.ones((2, 2))
    trainable = {"scores": {"a": matrix}, "weights": {"b": matrix, "c": jnp.ones(2)}}
    zero = jax.tree.map(jnp.zeros_like, trainable)
    optimizer = make_optimizer(config, 10)
    updates, _ = optimizer.update(zero, optimizer.init(trainable), trainable)
    found = {path: float(leaf.ravel()[0]) for path, leaf in flatten_with_paths(updates).items()}
    assert found == pytest.approx({"scores/a": 0, "weights/b": -0.05, "weights/c": 0})
