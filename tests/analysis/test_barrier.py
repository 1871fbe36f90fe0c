"""Barriers against a search with Python numbers."""

import numpy as np
import pytest

from maskjax.analysis.barrier import barrier, drop


def searched(gammas, losses):
    highest = 0.0
    for gamma, loss in zip(gammas.tolist(), losses.tolist(), strict=True):
        between = losses[0].item() * (1 - gamma) + losses[-1].item() * gamma
        highest = max(highest, loss - between)
    return highest


@pytest.mark.parametrize("seed", range(5))
def test_barrier_is_the_highest_rise_over_the_line(seed):
    random = np.random.default_rng(seed)
    gammas = np.sort(np.concatenate([[0, 1], random.random(7)]))
    values = random.normal(size=9)
    assert barrier(gammas, values) == pytest.approx(searched(gammas, values))
    assert drop(gammas, values) == pytest.approx(searched(gammas, -values))


def test_a_line_has_no_barrier():
    gammas = np.linspace(0, 1, 5)
    assert barrier(gammas, 3 - 2 * gammas) == pytest.approx(0)
    assert barrier(gammas, (gammas - 0.5) ** 2) == 0  # a valley is none
    assert drop(gammas, (gammas - 0.5) ** 2) == 0.25


@pytest.mark.parametrize("gammas", [[0, 1], [0, 0.5, 0.9], [0, 1, 0.5], [0.1, 0.5, 1]])
def test_path_must_ascend_from_zero_to_one(gammas):
    with pytest.raises(ValueError, match="Expected"):
        barrier(np.array(gammas), np.zeros(3))
