"""Schedules against their formulas, and the penalty against autodiff with a negated λ."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.masking import (
    constant_sparsity,
    cubic_sparsity,
    lagrangian_penalty,
    stepwise_sparsity,
)

STEPS = range(-2, 40)


def cubic(step: int) -> float:
    if step < 5:
        return 0.1
    if step > 25:
        return 0.8
    return 0.8 + (0.1 - 0.8) * (1 - (step - 5) / 20) ** 3


def stairs(step: int) -> float:
    return 0.1 if step < 5 else 0.5 if step < 20 else 0.3


SCHEDULES = {
    "constant": (constant_sparsity(0.4), lambda step: 0.4),
    "cubic": (cubic_sparsity(0.1, 0.8, begin=5, end=25), cubic),
    "stepwise": (stepwise_sparsity([0.1, 0.5, 0.3], [5, 20]), stairs),
    "one stair": (stepwise_sparsity([0.7], []), lambda step: 0.7),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_match_their_formulas(name):
    """Steps are Python ints, or traced int32 and float32 under jit."""
    schedule, formula = SCHEDULES[name]
    compiled = jax.jit(schedule)
    for step in STEPS:
        expected = pytest.approx(formula(step), abs=1e-6)
        for value in (schedule(step), compiled(jnp.int32(step)), compiled(jnp.float32(step))):
            assert (float(value), value.dtype, value.shape) == (expected, jnp.float32, ())


@pytest.mark.parametrize(
    "make",
    [
        constant_sparsity,
        lambda wrong: cubic_sparsity(wrong, 0.5, begin=0, end=1),
        lambda wrong: cubic_sparsity(0.5, wrong, begin=0, end=1),
        lambda wrong: stepwise_sparsity([0.5, wrong], [3]),
    ],
)
@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_impossible_sparsities_are_refused(make, wrong):
    with pytest.raises(ValueError, match=r"sparsity in \[0, 1\]"):
        make(wrong)


def test_empty_ramp_is_refused():
    with pytest.raises(ValueError, match="end > begin, got begin 5 and end 5"):
        cubic_sparsity(0.0, 0.5, begin=5, end=5)


@pytest.mark.parametrize("boundaries", [[2, 1], [1, 1]])
def test_boundaries_that_do_not_ascend_are_refused(boundaries):
    with pytest.raises(ValueError, match="ascending boundaries"):
        stepwise_sparsity([0.1, 0.2, 0.3], boundaries)


def test_too_few_sparsities_for_the_boundaries_are_refused():
    with pytest.raises(ValueError, match="3 sparsities for 2 boundaries, got 2"):
        stepwise_sparsity([0.1, 0.2], [1, 2])


@pytest.mark.parametrize("target", [0.5, 1, 0.0])
def test_penalty_descends_in_sparsity_and_ascends_in_the_multiplier(target):
    for multiplier, current in np.random.default_rng(0).random((5, 2)).astype(np.float32):
        at = (jnp.asarray(multiplier), jnp.asarray(current))
        plain = lambda m, c: 3 * m * jnp.square(target - c)  # noqa: E731
        value, gradient = jax.value_and_grad(
            lambda m, c: 3 * lagrangian_penalty(m, c, target), argnums=(0, 1)
        )(*at)
        of_multiplier, of_current = jax.grad(plain, argnums=(0, 1))(*at)
        assert float(value) == pytest.approx(float(plain(*at)), rel=1e-6)
        assert float(gradient[0]) == pytest.approx(-float(of_multiplier), rel=1e-5)
        assert float(gradient[1]) == pytest.approx(float(of_current), rel=1e-5)


def test_no_gradient_flows_into_the_target():
    at = (jnp.float32(2), jnp.float32(0.1), jnp.float32(0.7))
    assert jax.grad(lagrangian_penalty, argnums=2)(*at) == 0


def test_the_multiplier_grows_until_the_target_is_met():
    """The loss is lowest without zeros, and the penalty at a sparsity of one half."""
    optimizer = optax.sgd(0.1)

    def loss(trainable):
        sparsity, multiplier = trainable
        return 0.1 * jnp.abs(sparsity) + lagrangian_penalty(multiplier, sparsity, 0.5)

    def step(carry, _):
        trainable, state = carry
        updates, state = optimizer.update(jax.grad(loss)(trainable), state)
        return (optax.apply_updates(trainable, updates), state), trainable

    start = (jnp.float32(0.1), jnp.float32(0))
    _, (sparsity, multiplier) = jax.lax.scan(step, (start, optimizer.init(start)), length=5000)
    assert sparsity[5] < sparsity[0]  # the loss wins while the multiplier is small
    assert (jnp.diff(multiplier) >= 0).all()
    assert abs(sparsity[-1] - 0.5) < 0.05
