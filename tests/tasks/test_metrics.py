"""Metrics against their definitions, row by row and count by count."""

from itertools import product

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.tasks import METRICS, score


def class_ids(seed: int, classes: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=rows)
    noise = random.integers(classes, size=rows)
    predictions = np.where(random.random(rows) < 0.6, labels, noise)
    return predictions.astype(np.int32), labels.astype(np.int32)


def numbers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.round(random.uniform(0, 5, 80), 1)  # with ties
    predictions = labels + random.normal(size=80)
    return predictions.astype(np.float32), labels.astype(np.float32)


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's formula."""
    x, y = x - np.mean(x), y - np.mean(y)
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of their ranks."""
    below = (values[None, :] < values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return below + (equal + 1) / 2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_accuracy_is_the_share_of_correct_rows(seed, classes):
    predictions, labels = class_ids(seed, classes)
    right = sum(int(p == t) for p, t in zip(predictions, labels, strict=True))
    assert score("accuracy", predictions, labels) == right / len(labels)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_matthews_correlates_pairs_of_classes(seed, classes):
    """Gorodkin's formula over the counts of a confusion matrix (2004, equation 8)."""
    predictions, labels = class_ids(seed, classes)
    count = np.zeros((classes, classes))
    np.add.at(count, (labels, predictions), 1)
    triples = product(range(classes), repeat=3)
    above = sum(count[k, k] * count[m, c] - count[c, k] * count[k, m] for k, c, m in triples)
    sides = [
        sum(side[k].sum() * (count.sum() - side[k].sum()) for k in range(classes))
        for side in (count, count.T)
    ]
    expected = above / np.sqrt(sides[0] * sides[1])
    assert score("matthews", predictions, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_macro_recall_is_the_mean_over_labels(seed, classes):
    predictions, labels = class_ids(seed, classes)
    predictions[:3] = -1  # without a prediction
    shares = [(predictions[labels == label] == label).mean() for label in set(labels.tolist())]
    assert score("macro_recall", predictions, labels) == pytest.approx(np.mean(shares), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("positive", [0, 1])
def test_f1_is_the_harmonic_mean_of_precision_and_recall(seed, positive):
    predictions, labels = class_ids(seed, 2)
    predictions[:3] = -1
    right = np.sum((predictions == positive) & (labels == positive))
    precision, recall = right / np.sum(predictions == positive), right / np.sum(labels == positive)
    expected = 2 / (1 / precision + 1 / recall)
    ours = score("f1", predictions, labels, positive=positive)
    assert ours == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("predicted", [-1, 0, 1])
@pytest.mark.parametrize("actual", [0, 1])
def test_constant_predictions_and_labels_have_scores(predicted, actual):
    predictions, labels = np.full(4, predicted), np.full(4, actual)
    assert score("f1", predictions, labels) == float(predicted == actual == 1)
    assert score("matthews", predictions, labels) == 0.0
    assert score("macro_recall", predictions, labels) == float(predicted == actual)


@pytest.mark.parametrize("classes", [2, 3])
def test_matthews_of_constant_predictions_is_zero(classes):
    labels = class_ids(0, classes)[1]
    for constant in (np.zeros_like(labels), np.full_like(labels, classes - 1)):
        assert score("matthews", constant, labels) == 0.0 == score("matthews", labels, constant)


@pytest.mark.parametrize("seed", range(5))
def test_regression_correlates_numbers_and_ranks(seed):
    predictions, labels = (values.astype(np.float64) for values in numbers(seed))
    expected = correlation(predictions, labels)
    assert score("pearson", predictions, labels) == pytest.approx(expected, abs=1e-12)
    expected = correlation(ranks(predictions), ranks(labels))
    assert score("spearman", predictions, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
@pytest.mark.parametrize("rows", [2, 7, 10, 77])
@pytest.mark.parametrize("constant", [0.0, 0.1, 3.3, 1 / 3])  # the mean may differ by rounding
def test_regression_of_constants_is_zero(metric, rows, constant):
    labels, same = np.arange(rows) / 3, np.full(rows, constant)
    assert score(metric, same, labels) == 0.0 == score(metric, labels, same)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_precision_does_not_suffer_from_a_large_mean(metric):
    values = np.arange(50, dtype=np.float32)
    assert score(metric, values + np.float32(2**20), values) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_predictions_score_one(metric):
    labels = np.array([0, 1, 1, 0, 1])
    assert score(metric, labels, labels) == pytest.approx(1.0, abs=1e-12)
    assert type(score(metric, labels, labels)) is float


@pytest.mark.parametrize("metric", ["matthews", "pearson", "spearman"])
def test_correlation_stays_in_its_range(metric):
    for seed in range(50):
        labels = np.random.default_rng(seed).integers(2, size=7)
        assert -1 <= score(metric, 1 - labels, labels) <= 1
        assert -1 <= score(metric, labels, labels) <= 1


def test_nan_is_not_hidden():
    assert np.isnan(score("pearson", np.array([np.nan, 1.0]), np.array([1.0, 2.0])))
    assert np.isnan(score("spearman", np.array([np.nan, 1.0]), np.array([1.0, 2.0])))


def test_unknown_metric_is_refused():
    with pytest.raises(InputError, match=r"one of accuracy, f1, matthews, .*got 'acc'"):
        score("acc", np.zeros(1), np.zeros(1))


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((0,), (0,)), ((2, 2), (2, 2)), ((2, 1), (2,))])
def test_shapes_must_fit(shapes):
    with pytest.raises(ValueError, match=r"one prediction for each of one or more labels"):
        score("accuracy", np.zeros(shapes[0]), np.zeros(shapes[1]))
