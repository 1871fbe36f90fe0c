"""Dissimilarity against brute force, and its chance level against scipy."""

import csv
import shutil

import numpy as np
import pytest
from scipy.stats import hypergeom

from maskjax.analysis.dissimilarity import dissimilarity, distance_of
from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask, compare_masks


def draw(random, keep, shape=(60, 70)):
    return {
        f"encoder/layer/{block}/output/dense/kernel": random.random(shape) < share
        for block, share in enumerate(keep)
    }


def distance(first, second):
    packed = [{path: PackedMask.of(mask) for path, mask in one.items()} for one in (first, second)]
    return distance_of(compare_masks(*packed).values())


def read(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_dissimilarity_matches_the_formula():
    random = np.random.default_rng(0)
    first, second = draw(random, (0.9, 0.5)), draw(random, (0.7, 0.6))
    found = distance(first, second)
    a, b = (
        np.concatenate([m.ravel() for m in one.values()]).astype(int) for one in (first, second)
    )
    assert found.dissimilarity == np.abs(a - b).sum() / (a.sum() + b.sum())
    assert distance(first, first).dissimilarity == 0


def test_chance_matches_independent_draws():
    """Chance is per matrix: over both, masks of different densities are not independent."""
    random = np.random.default_rng(1)
    first, second = draw(random, (0.9, 0.4)), draw(random, (0.95, 0.5))
    found, mean, variance = distance(first, second), 0.0, 0.0
    for path, mask in first.items():
        a, b = int(mask.sum()), int(second[path].sum())
        shared = hypergeom(mask.size, a, b)
        mean, variance = mean + a + b - 2 * shared.mean(), variance + 4 * shared.var()
    assert found.chance == pytest.approx(mean / found.kept)
    assert found.chance_error == pytest.approx(variance**0.5 / found.kept)
    draws = [distance(first, draw(random, (0.95, 0.5))) for _ in range(40)]
    deviations = [(d.dissimilarity - d.chance) / d.chance_error for d in draws]
    assert abs(np.mean(deviations)) < 4 / 40**0.5
    assert 0.6 < np.std(deviations) < 1.5


def test_study_finds_a_copy_of_a_run_identical(finished, tmp_path):
    folders = [finished(seed=0), finished(seed=1), tmp_path / "copy"]
    shutil.copytree(folders[0], folders[2])
    dissimilarity(tuple(folders), out=tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 6
    rows = read(tmp_path / "out/dissimilarity-runs.csv")
    ratios = [float(row["ratio"]) for row in rows]
    assert ratios[1] == 0.0  # the copy
    assert ratios[0] == ratios[2] > 0
    matrices = read(tmp_path / "out/dissimilarity-blocks.csv")
    assert {row["block"] for row in matrices} == {"1", "2", "top"}
    assert "head" not in {row["matrix_type"] for row in matrices}


def test_runs_without_masks_are_left_out(finished, tmp_path, capsys):
    with pytest.raises(InputError, match="at least 2 runs, got 1"):
        dissimilarity((finished(), finished("finetune")), out=tmp_path)
    assert "expected a run with masks over its base, got one of finetune" in capsys.readouterr().err
