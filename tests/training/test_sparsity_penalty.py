"""The multiplier that drives masks to a sparsity: targets, gradients and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.adaptation import combine, make_soft_sparsity, masking, train_weights
from maskjax.config import AdaptationConfig, OptimizerConfig
from maskjax.errors import InputError
from maskjax.masking import constant_sparsity, mean_sparsity, threshold_mask
from maskjax.training import SparsityPenalty, prepare
from maskjax.training.sparsity_penalty import measure_sparsity, sparsity_target

PARAMS = {"kernel": jnp.full((4, 5), 7.0), "head": jnp.ones(2)}
TRANSFORM = threshold_mask(0.4, where=["kernel"])
MASKED = combine(head=train_weights(["head"]), scores=masking(TRANSFORM))


def soft_sparsity(trainable, params):
    return mean_sparsity(TRANSFORM.float_masks(trainable["scores"], params))


def test_penalty_and_its_gradients_match_the_formula():
    penalty = SparsityPenalty(constant_sparsity(0.9), soft_sparsity, optax.sgd(1.0))
    trainable = MASKED.init(jax.random.key(0), PARAMS)
    sparsity = float((np.asarray(trainable["scores"]["kernel"]) <= 0.01).mean())
    gap = 0.9 - sparsity
    value, (of_multiplier, gradients) = jax.value_and_grad(penalty, (0, 1))(
        jnp.float32(3), trainable, PARAMS, 0
    )
    assert value == pytest.approx(3 * gap**2, rel=1e-5)
    assert of_multiplier == pytest.approx(-(gap**2), rel=1e-5)  # descent ascends
    np.testing.assert_allclose(gradients["scores"]["kernel"], 2 * 3 * gap / 20, rtol=1e-5)
    assert not gradients["head"]["head"].any()


def test_multiplier_starts_at_zero_and_moves_by_its_own_optimizer(toy_config):
    config = toy_config(
        adaptation=AdaptationConfig(target_sparsity=0.5),
        optimizer=OptimizerConfig(clip=0.1, warmup=0.5, multiplier_learning_rate=4.0),
    )
    penalty = prepare(config).penalty
    assert penalty is not None
    start = penalty.init()
    assert start.value == 0
    assert penalty.update(jnp.float32(-30), start).value == pytest.approx(4.0, rel=1e-4)
    assert penalty.update(jnp.float32(0), start).value == 0


@pytest.mark.parametrize("head", ["trained", "masked", "both"])
def test_soft_sparsity_is_that_of_the_masks(toy_config, head):
    adaptation = AdaptationConfig(head=head, initializer="uniform", sparsity=0.3)
    experiment = prepare(toy_config(adaptation=adaptation))
    trainable = experiment.adaptation.init(jax.random.key(0), experiment.params)
    soft = make_soft_sparsity(adaptation, experiment.model)(trainable, experiment.params)
    measured = measure_sparsity(experiment.adaptation)(trainable, experiment.params)
    assert soft == measured["sparsity"] == pytest.approx(0.3, abs=0.05)


def test_sparsity_of_no_masks_is_not_measured():
    head = train_weights(["head"])
    assert measure_sparsity(head)(head.init(jax.random.key(0), PARAMS), PARAMS) == {}


def targets(steps=80, **settings):
    schedule = sparsity_target(AdaptationConfig(target_sparsity=0.8, **settings), steps)
    assert schedule is not None
    return [float(schedule(step)) for step in (0, 10, 39, 40, 80)]


def test_sparsity_targets_match_their_formulas():
    assert targets() == pytest.approx([0.8] * 5)
    cubic = [0.8 * (1 - (1 - step / 40) ** 3) for step in (0, 10, 39, 40, 40)]
    assert targets(sparsity_schedule="cubic") == pytest.approx(cubic)
    assert targets(sparsity_schedule="stepwise") == pytest.approx([0, 0.2, 0.6, 0.8, 0.8])
    start = {"initializer": "uniform", "sparsity": 0.4}
    stairs = targets(sparsity_schedule="stepwise", **start)
    assert stairs == pytest.approx([0.4, 0.5, 0.7, 0.8, 0.8])
    assert sparsity_target(AdaptationConfig(), 80) is None


def test_stepwise_target_of_a_short_run_has_one_step():
    assert targets(steps=4, sparsity_schedule="stepwise")[1:] == pytest.approx([0.8] * 4)


def test_target_sparsity_is_a_fraction():
    with pytest.raises(InputError, match=r"target_sparsity: expected a fraction in \(0, 1\)"):
        AdaptationConfig(target_sparsity=1.0)
