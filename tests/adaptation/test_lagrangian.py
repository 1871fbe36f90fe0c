"""The multiplier that drives masks to a sparsity: targets, gradients and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.adaptation import combine, hold_sparsity, masking, sparsity_target, train_weights
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import constant_sparsity, threshold_mask

PARAMS = {"kernel": jnp.full((4, 5), 7.0), "head": jnp.ones(2)}
INNER = combine(head=train_weights(["head"]), scores=masking(threshold_mask(0.4, where=["kernel"])))
HELD = hold_sparsity(INNER, constant_sparsity(0.9))


def test_penalty_and_its_gradients_match_the_formula():
    trainable = HELD.init(jax.random.key(0), PARAMS) | {"multiplier": jnp.float32(3)}
    sparsity = float((np.asarray(trainable["scores"]["kernel"]) <= 0.01).mean())
    gap = 0.9 - sparsity
    value, gradients = jax.value_and_grad(HELD.penalty)(trainable, PARAMS, 0)
    assert value == pytest.approx(3 * gap**2, rel=1e-5)
    assert gradients["multiplier"] == pytest.approx(-(gap**2), rel=1e-5)  # descent ascends
    np.testing.assert_allclose(gradients["scores"]["kernel"], 2 * 3 * gap / 20, rtol=1e-5)
    assert not gradients["head"]["head"].any()
    assert INNER.penalty(INNER.init(jax.random.key(0), PARAMS), PARAMS, 0) == 0


def test_multiplier_starts_at_zero_and_changes_no_params():
    trainable = HELD.init(jax.random.key(0), PARAMS)
    inner = INNER.init(jax.random.key(0), PARAMS)
    assert trainable.pop("multiplier") == 0
    jax.tree.map(np.testing.assert_array_equal, trainable, inner)
    both = trainable | {"multiplier": jnp.float32(2)}
    for ours, theirs in (
        (HELD.apply(both, PARAMS), INNER.apply(inner, PARAMS)),
        (HELD.finalize(both, PARAMS), INNER.finalize(inner, PARAMS)),
        (HELD.stats(both, PARAMS), {**INNER.stats(inner, PARAMS), "multiplier": jnp.float32(2)}),
    ):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def targets(steps=80, **settings):
    schedule = sparsity_target(AdaptationConfig(target_sparsity=0.8, **settings), steps)
    assert schedule is not None
    return [float(schedule(step)) for step in (0, 10, 39, 40, 80)]


def test_sparsity_targets_match_their_formulas():
    assert targets() == pytest.approx([0.8] * 5)
    cubic = [0.8 * (1 - (1 - step / 40) ** 3) for step in (0, 10, 39, 40, 40)]
    assert targets(sparsity_schedule="cubic") == pytest.approx(cubic)
    assert targets(sparsity_schedule="stepwise") == pytest.approx([0, 0.2, 0.6, 0.8, 0.8])
    start = {"start": "uniform", "sparsity": 0.4}
    stairs = targets(sparsity_schedule="stepwise", **start)
    assert stairs == pytest.approx([0.4, 0.5, 0.7, 0.8, 0.8])
    assert sparsity_target(AdaptationConfig(), 80) is None


def test_stepwise_target_of_a_short_run_has_one_step():
    assert targets(steps=4, sparsity_schedule="stepwise")[1:] == pytest.approx([0.8] * 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "finetune"}, r"target_sparsity: finetune has no masks; .*--adaptation.method"),
        ({"binarizer": "top_k"}, r"target_sparsity: top_k keeps .*--adaptation.sparsity"),
    ],
)
def test_target_sparsity_needs_masks_of_free_sparsity(settings, message):
    with pytest.raises(InputError, match=message):
        sparsity_target(AdaptationConfig(target_sparsity=0.5, **settings), 10)
    with pytest.raises(InputError, match=r"target_sparsity: expected a fraction in \(0, 1\)"):
        AdaptationConfig(target_sparsity=1.0)
