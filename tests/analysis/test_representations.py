"""CKA against the kernels that it is defined by, probes on known vectors, the base by itself."""

import csv

import numpy as np
import pytest

from maskjax.analysis.cka import linear_cka
from maskjax.analysis.probe import pca_points, probe_accuracy
from maskjax.analysis.representations import representations
from maskjax.errors import InputError


def test_cka_matches_centered_kernels():
    """HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)) over all pairs of rows, from the definition."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 5)) + 3, random.normal(size=(12, 7))
    y[:, :5] += x

    def hsic(a, b):
        k, m = (np.array([[v @ w for w in rows] for v in rows]) for rows in (a, b))
        center = np.eye(12) - 1 / 12
        return np.trace(k @ center @ m @ center)

    expected = hsic(x, y) / (hsic(x, x) * hsic(y, y)) ** 0.5
    assert 0.1 < expected < 0.9
    assert linear_cka(x, y) == pytest.approx(expected)
    rotation = np.linalg.qr(random.normal(size=(5, 5)))[0]
    assert linear_cka(x, 3 * x @ rotation + 1) == pytest.approx(1)
    assert np.isnan(linear_cka(x, np.ones((12, 2))))
    with pytest.raises(ValueError, match="as many rows"):
        linear_cka(x, y[:5])


def test_probe_accuracy_rises_with_linear_separability():
    random = np.random.default_rng(1)
    labels = np.array([0, 1, 1] * 20 + [2] * 3)
    vectors = random.normal(size=(63, 4))
    noise = probe_accuracy(vectors, labels)
    assert (noise.rows, noise.majority) == (60, pytest.approx(2 / 3))
    assert noise.accuracy < 0.8
    vectors[:, 2] += 20 * labels
    assert probe_accuracy(vectors, labels).accuracy == 1
    with pytest.raises(InputError, match=r"two classes of at least 5 rows .* got 0 among 3"):
        probe_accuracy(vectors[-3:], np.array([0, 0, 0]))


def test_pca_is_the_two_largest_singular_values():
    vectors = np.random.default_rng(2).normal(size=(20, 6)).astype(np.float32)
    values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    norms = np.linalg.norm(pca_points(vectors), axis=0)
    np.testing.assert_allclose(norms, values[:2], rtol=1e-5)


def test_study_compares_the_base_with_the_runs(finished, tmp_path):
    folders = (finished(), finished("finetune"))
    representations(folders, out=tmp_path)
    rows = list(csv.DictReader((tmp_path / "representations-cka.csv").read_text().splitlines()))
    names = ["pretrained", "mask", "finetune"]
    assert [(row["first"], row["second"]) for row in rows] == [(a, b) for a in names for b in names]
    cka = np.array([float(row["cka"]) for row in rows]).reshape(3, 3)
    np.testing.assert_allclose(np.diag(cka), 1, atol=1e-6)
    np.testing.assert_allclose(cka, cka.T, atol=1e-6)
    assert (cka[np.triu_indices(3, 1)] < 0.9999).all()
    kept = sorted((tmp_path / "vectors").iterdir())
    assert len(kept) == 3
    assert all(np.load(path).shape == (30, 16) for path in kept)
    changed = [path.stat().st_mtime_ns for path in kept]
    representations(folders, out=tmp_path)
    assert [path.stat().st_mtime_ns for path in kept] == changed


def test_tasks_without_text_labels_are_refused(with_meta, tmp_path):
    with pytest.raises(InputError, match="expected a run of classification, got one of tokens"):
        representations((with_meta("task", kind="tokens"),), out=tmp_path)
