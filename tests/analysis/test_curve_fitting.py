"""The bend converges to the minimum of a quadratic bowl, which is derived by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.analysis.curve_fitting import BendTraining
from maskjax.analysis.interpolation import bezier, chain

pytestmark = pytest.mark.usefixtures("standard_promotion")
ENDS = {"w": jnp.array([1.0, -2.0])}, {"w": jnp.array([3.0, 0.5])}
BOTTOM = np.array([0.5, 1.0], np.float32)


def bowl(params, batch):
    return jnp.square(params["w"] - batch).sum()


@pytest.mark.parametrize(("curve", "pull"), [(bezier, 3 / 4), (chain, 1 / 4)])
def test_bend_converges_to_the_minimum_of_a_quadratic(curve, pull):
    """E m(γ) (Σ weights · corners − c) = 0: (a + b − 2c) E[m l] + (w − c) E[m²] = 0.

    Bézier: E[2γ(1−γ) · (1−γ)²] = 1/10 and E[4γ²(1−γ)²] = 2/15, a ratio of 3/4; chain: 1/12 and 1/3.
    """
    train = BendTraining(bowl, curve, steps=3000, learning_rate=0.03)
    before = [np.array(end["w"]) for end in ENDS]
    bend = train(ENDS, itertools.repeat(BOTTOM), key=jax.random.key(0))
    expected = BOTTOM - pull * (before[0] + before[1] - 2 * BOTTOM)
    np.testing.assert_allclose(bend["w"], expected, atol=0.1)
    for end, was in zip(ENDS, before, strict=True):
        np.testing.assert_array_equal(end["w"], was)


def test_training_needs_a_batch_for_every_step():
    reports = []
    train = BendTraining(bowl, chain, steps=3, learning_rate=0.1)
    with pytest.raises(ValueError, match="3 steps, got 2"):
        train(ENDS, [BOTTOM] * 2, key=jax.random.key(0), report=lambda *some: reports.append(some))
    assert [step for step, _ in reports] == [1, 2]
