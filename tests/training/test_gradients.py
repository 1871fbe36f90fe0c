"""Accumulation and rematerialization give the same step with less memory."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.adaptation import make_adaptation, make_soft_sparsity
from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig
from maskjax.masking import constant_sparsity
from maskjax.masking.packed import MaskedWeight
from maskjax.models import build_model, read_config
from maskjax.training import (
    SparsityPenalty,
    init_state,
    make_loss,
    make_optimizer,
    make_train_step,
)

VALUES = {
    "model_type": "bert",
    "vocab_size": 32,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
ENCODER = read_config(VALUES, "tiny")
MASK = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(0, 0), head="both")


def random_like(tree, scale=0.3):
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(0, scale, leaf.shape), jnp.float32), tree
    )


def make_batch(kind, rows=12, length=6):
    random = np.random.default_rng(1)
    each = 3 if kind == "choice" else 1
    of = (rows, length) if kind == "tokens" else (rows,)
    weights = (random.random(of) < 0.4).astype(np.float32)
    weights[::4] = 0  # one of four parts has nothing but padding
    return {
        "input_ids": random.integers(1, 32, (rows * each, length)).astype(np.int32),
        "attention_mask": np.ones((rows * each, length), np.int32),
        "token_type_ids": np.zeros((rows * each, length), np.int32),
        "labels": random.integers(0, 3, of).astype(np.int32),
        "weights": weights,
    }


def one_step(config, train, *, kind="classification", encoder=ENCODER, rows=12):
    model = build_model(encoder, 3, kind=kind, remat_blocks=train.remat == "blocks")
    adaptation = make_adaptation(config, model)
    penalty = None
    if config.method == "mask":
        sparsity = make_soft_sparsity(config, model)
        penalty = SparsityPenalty(constant_sparsity(0.9), sparsity, optax.sgd(1.0))
    optimizer = make_optimizer(
        OptimizerConfig(name="sgd", schedule="constant", warmup=0.0, clip=0.0), 100
    )
    step = make_train_step(
        model, adaptation, optimizer, make_loss(kind), penalty=penalty, train=train
    )
    params = random_like(model.abstract)
    state = init_state(adaptation, optimizer, params, jax.random.key(0), penalty)
    if state.multiplier:
        state = state._replace(multiplier=state.multiplier._replace(value=jnp.float32(3)))
    return step, state, params, make_batch(kind, rows)


def assert_same_step(found, expected):
    (one, metrics), (other, of_other) = (step(*rest) for step, *rest in (found, expected))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        (one.trainable, one.multiplier, metrics),
        (other.trainable, other.multiplier, of_other),
    )


@pytest.mark.parametrize("kind", ["classification", "choice", "tokens"])
def test_accumulated_step_equals_the_step_of_the_whole(kind):
    parts, whole = TrainConfig(batch_size=12, accumulate=4), TrainConfig(batch_size=12)
    assert_same_step(one_step(MASK, parts, kind=kind), one_step(MASK, whole, kind=kind))


@pytest.mark.parametrize("remat", ["masked_weights", "blocks"])
@pytest.mark.parametrize(
    "config", [MASK, AdaptationConfig(method="finetune")], ids=["mask", "finetune"]
)
def test_rematerialized_step_equals_the_plain_step(config, remat):
    assert_same_step(one_step(config, TrainConfig(remat=remat)), one_step(config, TrainConfig()))


def test_rematerialized_step_keeps_protected_weights():
    """All scores are below the threshold, so only protected weights remain in W ⊙ M."""

    def lowered(train):
        config = dataclasses.replace(MASK, initializer="proportional", sparsity=None, protect=0.8)
        step, state, params, batch = one_step(config, train)
        low = jax.tree.map(lambda scores: scores - 1, state.trainable["scores"])
        return step, state._replace(trainable={**state.trainable, "scores": low}), params, batch

    assert_same_step(lowered(TrainConfig(remat="masked_weights")), lowered(TrainConfig()))


def temporaries(config, train):
    """The compiler's count of temporary bytes, where both weights and activations matter."""
    encoder = dataclasses.replace(
        ENCODER, hidden_size=128, intermediate_size=512, num_layers=2, num_heads=4
    )
    step, *arguments = one_step(config, train, encoder=encoder, rows=64)
    return step.lower(*arguments).compile().memory_analysis().temp_size_in_bytes


def test_rematerialized_masked_weights_take_no_memory():
    config = dataclasses.replace(MASK, blocks=(0, 1), head="trained")
    weights = 2 * (4 * 128 * 128 + 2 * 128 * 512) * 4
    again = TrainConfig(remat="masked_weights")
    saved = temporaries(config, TrainConfig()) - temporaries(config, again)
    assert saved > weights / 2


def test_masked_weight_refuses_indices():
    with pytest.raises(ValueError, match="no parts"):
        MaskedWeight(jnp.ones((2, 2)), jnp.ones((2, 2)), jnp.ones((2, 2), bool))[0]


@pytest.mark.parametrize("kind", ["classification", "tokens"])
def test_loss_of_weighted_rows_is_divided_by_their_number(kind):
    random = np.random.default_rng(2)
    logits = jnp.asarray(random.normal(size=(6, 3)), jnp.float32)
    labels = jnp.asarray(random.integers(0, 3, 6), jnp.int32)
    weights = jnp.asarray([0.25, 2.0, 0.0, 0.5, 1.0, 0.0], jnp.float32)
    each = -np.asarray(jax.nn.log_softmax(logits))[np.arange(6), np.asarray(labels)]
    expected = (each * np.asarray(weights)).sum() / 4
    np.testing.assert_allclose(make_loss(kind)(logits, labels, weights), expected, rtol=1e-6)


def test_parts_of_a_batch_of_windows_give_the_step_of_the_whole():
    results = []
    for parts in (1, 4):
        step, state, params, batch = one_step(MASK, TrainConfig(batch_size=12, accumulate=parts))
        shares = np.random.default_rng(3).uniform(0.1, 3.0, 12).astype(np.float32)
        results.append(step(state, params, {**batch, "weights": batch["weights"] * shares}))
    for whole, part in zip(*map(jax.tree.leaves, results), strict=True):
        if jnp.issubdtype(whole.dtype, jnp.floating):
            np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-6)
