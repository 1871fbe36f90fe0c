"""Points in one program against predictors with params that NumPy mixed, for every kind of task."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from maskjax.analysis.landscape import Landscape
from maskjax.config import AdaptationConfig
from maskjax.inference import SavedRun, load_run
from maskjax.tasks import Split

LETTERS = list("abcdefgh")
WEIGHTS = np.array([[1, 0], [0.6, 0.4], [-0.5, 1.5], [0, 1]], np.float32)
KINDS = {
    "classification": ("bert", "mask"),
    "regression": ("roberta", "finetune"),
    "tokens": ("distilbert", "mask"),
    "choice": ("bert", "finetune"),
}


def random_rows(predictor: SavedRun, count: int) -> Split:
    random, task = np.random.default_rng(0), predictor.task
    if task.kind == "tokens":
        texts = [tuple(random.choice(LETTERS, random.integers(1, 30))) for _ in range(count)]
        labels = random.integers(0, len(task.labels), sum(map(len, texts)))
        return Split(texts, labels.astype(np.int32), task.kind)
    columns = 1 + len(task.labels) if task.kind == "choice" else len(task.text)
    lengths = random.integers(1, 11, (count, columns))
    texts = [tuple(" ".join(random.choice(LETTERS, n)) for n in row) for row in lengths]
    if task.kind == "regression":
        return Split(texts, random.normal(size=count).astype(np.float32), task.kind)
    labels = random.integers(0, len(task.labels), count).astype(np.int32)
    return Split(texts, labels, task.kind)


@pytest.fixture(scope="module")
def make_predictor(base_of, task_of, write_run, tmp_path_factory):
    def make(kind: str, seed: int) -> SavedRun:
        family, method = KINDS[kind]
        folder = tmp_path_factory.mktemp(kind) / "run"
        write_run(base_of(family), task_of(kind), AdaptationConfig(method=method), folder, seed)
        return load_run(folder)

    return make


def loss_of(predictor: SavedRun, logits: np.ndarray, labels: np.ndarray) -> float:
    """The mean over all units that have logits."""
    if predictor.task.kind == "regression":
        return float(np.mean((logits[:, 0] - labels) ** 2))
    each = -log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]
    return float(np.nanmean(each))


@pytest.mark.parametrize("kind", KINDS)
def test_points_score_as_models_with_mixed_params(make_predictor, kind):
    ends = [make_predictor(kind, seed) for seed in (0, 1)]
    split = random_rows(ends[0], 11)
    encoded = ends[0].encode(split)
    landscape = Landscape(ends[0].model, ends[0].task, encoded, batch_size=8, buckets=(24,))
    found = landscape([end.params for end in ends], WEIGHTS)
    assert landscape.rows == 11
    for point, (first, last) in enumerate(WEIGHTS):
        mixed = jax.tree.map(
            lambda a, b, first=first, last=last: first * np.asarray(a) + last * np.asarray(b),
            *(end.params for end in ends),
        )
        one = ends[0]._replace(params=mixed)
        expected = loss_of(one, one.logits(encoded), split.labels)
        np.testing.assert_allclose(found.loss[point], expected, rtol=1e-4)
        np.testing.assert_allclose(found.score[point], one.score(split), atol=1e-5)


def test_two_copies_have_a_flat_path(make_predictor, timed_events):
    """The whole path, with batches of several lengths, is one compiled program."""
    end = make_predictor("classification", 2)
    encoded = end.encode(random_rows(end, 13))
    landscape = Landscape(end.model, end.task, encoded, batch_size=5, buckets=(6, 8, 24))
    timed_events.clear()
    ways = np.linspace([1, 0], [0, 1], 9, dtype=np.float32)
    for _ in range(2):
        found = landscape([end.params, end.params], ways)
    assert sum("backend_compile" in event for event in timed_events) == 1
    np.testing.assert_allclose(found.loss, found.loss[0], rtol=1e-5)
    assert set(found.score) == {found.score[0]}


def test_loss_over_windows_counts_each_text_once(make_predictor):
    end = make_predictor("classification", 3)
    task = dataclasses.replace(end.config.task, stride=6)
    end = end._replace(config=dataclasses.replace(end.config, task=task))
    random = np.random.default_rng(1)
    texts = [(" ".join(random.choice(LETTERS, random.integers(1, 80))),) for _ in range(11)]
    split = Split(texts, random.integers(0, 3, 11).astype(np.int32))
    encoded = end.encode(split)
    counts = encoded.window_counts
    assert counts.max() > 2
    landscape = Landscape(end.model, end.task, encoded, batch_size=4, buckets=(8, 24))
    found = landscape([end.params], np.ones((1, 1), np.float32))
    labels = np.repeat(split.labels, counts)
    logits = end.logits(encoded._replace(window_counts=None, labels=labels))
    each = -log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]
    of_texts = [part.mean() for part in np.split(each, np.cumsum(counts)[:-1])]
    np.testing.assert_allclose(found.loss[0], np.mean(of_texts), rtol=1e-4)
    np.testing.assert_allclose(found.score[0], end.score(split), atol=1e-6)
    assert landscape.rows == 11
