"""What masks dropped, against loops over every weight."""

import csv

import numpy as np
import pytest

from maskjax.analysis.dead_units import (
    head_shares,
    magnitude_overlap,
    neuron_shares,
    spread_along,
    zeros_along,
)
from maskjax.analysis.dropped import dropped
from maskjax.analysis.runs import load_runs
from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask

ATTENTION = "encoder/layer/1/attention/"


def draw(*shape, keep=0.7, seed=0):
    return np.random.default_rng(seed).random(shape) < keep


def test_magnitude_overlap_matches_a_sort_by_size():
    random = np.random.default_rng(0)
    weight, mask = random.normal(size=(9, 11)), draw(9, 11)
    zeros = int((~mask).sum())
    smallest = set(sorted(range(99), key=lambda i: abs(weight.ravel()[i]))[:zeros])
    found = magnitude_overlap(mask, weight)
    assert found.shared == sum(not mask.ravel()[i] for i in smallest)
    assert found.chance == zeros / 99
    pruned = np.abs(weight) > np.quantile(np.abs(weight), 0.2)
    assert magnitude_overlap(pruned, weight).share == 1
    assert np.isnan(magnitude_overlap(np.ones((2, 2), bool), weight[:2, :2]).ratio)


def test_head_and_neuron_shares_count_their_weights():
    masks = {
        ATTENTION + "self/query/kernel": draw(6, 8, seed=1),
        ATTENTION + "self/value/bias": draw(8, seed=2),
        ATTENTION + "output/dense/kernel": draw(8, 6, seed=3),
        "encoder/layer/1/intermediate/dense/kernel": draw(6, 10, seed=4),
        "encoder/layer/1/output/dense/kernel": draw(10, 6, seed=5),
        "pooler/dense/kernel": draw(6, 6, seed=6),
    }
    query, _, output, into, out, _ = masks.values()
    packed = {path: PackedMask.of(mask) for path, mask in masks.items()}
    heads, neurons = head_shares(packed, 4, 4), neuron_shares(packed)
    assert heads.keys() == neurons.keys() == {"1"}
    for head in range(4):
        own = slice(2 * head, 2 * head + 2)
        kept = np.concatenate([query[:, own].ravel(), output[own].ravel()])
        assert heads["1"][head] == pytest.approx(1 - kept.mean(), abs=1e-6)
    for neuron in range(10):
        kept = np.concatenate([into[:, neuron], out[neuron]])
        assert neurons["1"].shares[neuron] == pytest.approx(1 - kept.mean())


def test_heads_that_share_keys_have_the_same_zeros_in_them():
    key, query = draw(6, 4, seed=1), draw(6, 8, seed=2)
    masks = {ATTENTION + "self/key/kernel": key, ATTENTION + "self/query/kernel": query}
    packed = {path: PackedMask.of(mask) for path, mask in masks.items()}
    for head, share in enumerate(head_shares(packed, 4, 2)["1"]):
        of_key, of_query = key[:, 2 * (head // 2) :][:, :2], query[:, 2 * head :][:, :2]
        # The matrices count by their sizes, as they do without sharing.
        kept = (of_key.mean() * key.size + of_query.mean() * query.size) / (key.size + query.size)
        assert share == pytest.approx(1 - kept, abs=1e-6)


def test_projections_of_distances_count_to_their_heads():
    key, position_key = draw(6, 8, seed=1), draw(6, 8, seed=2)
    masks = {"key": key, "position_key": position_key}
    packed = {f"{ATTENTION}self/{name}/kernel": PackedMask.of(mask) for name, mask in masks.items()}
    for head, share in enumerate(head_shares(packed, 4, 4)["1"]):
        kept = np.concatenate([key, position_key])[:, 2 * head :][:, :2]
        assert share == pytest.approx(1 - kept.mean(), abs=1e-6)


def test_gates_are_weights_into_a_neuron():
    block = "encoder/layer/1"
    masks = {
        f"{block}/intermediate/{name}/kernel": draw(6, 10, seed=1) for name in ("dense", "gate")
    }
    masks[f"{block}/intermediate/gate/kernel"] = gate = draw(6, 10, seed=2)
    dense = masks[f"{block}/intermediate/dense/kernel"]
    shares = neuron_shares({path: PackedMask.of(mask) for path, mask in masks.items()})["1"].shares
    kept = np.concatenate([dense, gate])
    np.testing.assert_allclose(shares, 1 - kept.mean(axis=0), atol=1e-6)


def test_uneven_zeros_show_in_the_spread():
    independent = draw(400, 300, keep=0.9)
    assert spread_along(independent, 0) == pytest.approx(1, abs=0.15)
    uneven = independent & (np.arange(400) % 2 == 0)[:, None]
    assert spread_along(uneven, 0) > 10
    assert zeros_along(uneven, 0)[1] == 1
    assert np.isnan(spread_along(np.ones((2, 2), bool), 0))
    packed = {"encoder/layer/0/output/dense/kernel": PackedMask.of(independent)}
    neurons = neuron_shares(packed)["0"]
    assert neurons.shares.std() == pytest.approx(neurons.deviation, rel=0.15)


def test_study_counts_every_zero_and_needs_masks(finished, tmp_path):
    folders = (finished(seed=0), finished(seed=1))
    runs = load_runs(folders)
    dropped(folders, out=tmp_path)
    assert len(list(tmp_path.iterdir())) == 9
    rows = list(csv.DictReader((tmp_path / "dropped-blocks.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(runs[0].masks)
    assert sum(int(row["zeros"]) for row in rows) == sum(
        mask.zeros for run in runs for mask in run.masks.values()
    )
    with pytest.raises(InputError, match="expected a run with masks"):
        dropped((finished("finetune"),), out=tmp_path)
