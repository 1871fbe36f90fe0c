"""Sizes of coded masks against the entropy of their densities."""

import numpy as np
import pytest
from scipy.stats import entropy

from maskjax.adaptation import Delta
from maskjax.taskfile import binary_entropy, make_task_file, mask_size, save_task_file


@pytest.mark.parametrize("p", [0.0, 0.01, 0.3, 0.5, 1.0])
def test_binary_entropy_matches_scipy(p):
    assert binary_entropy(p) == pytest.approx(entropy([p, 1 - p], base=2), abs=1e-12)


def test_independent_weights_cost_their_entropy(tmp_path, meta):
    random = np.random.default_rng(0)
    masks = {
        "a": random.random((384, 384)) > 0.05,
        "b": random.random((384, 768)) > 0.1,
        "c": np.ones((64, 64), bool),
    }
    base = {path: np.zeros(mask.shape, np.float32) for path, mask in masks.items()}
    save_task_file(tmp_path / "t", make_task_file(Delta.of(masks=masks), base, meta))
    size = mask_size(tmp_path / "t")
    assert size.weights == sum(mask.size for mask in masks.values())
    expected = sum(m.size * entropy([m.mean(), 1 - m.mean()], base=2) for m in masks.values()) / 8
    assert size.bound == pytest.approx(expected)
    assert 1 <= size.coded / size.bound < 1.015
    assert size.bits_per_weight == 8 * size.coded / size.weights
    assert size.encodings == {"entropy": 3}
