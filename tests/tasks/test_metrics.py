import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn

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


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_classification_matches_sklearn(seed, classes):
    predictions, labels = class_ids(seed, classes)
    accuracy, matthews = (
        score("accuracy", predictions, labels),
        score("matthews", predictions, labels),
    )
    assert accuracy == pytest.approx(sklearn.accuracy_score(labels, predictions), abs=1e-12)
    assert matthews == pytest.approx(sklearn.matthews_corrcoef(labels, predictions), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
def test_macro_recall_matches_sklearn(seed, classes):
    predictions, labels = class_ids(seed, classes)
    predictions[:3] = -1  # without a prediction
    expected = sklearn.balanced_accuracy_score(labels, predictions)
    assert score("macro_recall", predictions, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_f1_matches_sklearn(seed):
    predictions, labels = class_ids(seed, 2)
    assert score("f1", predictions, labels) == pytest.approx(
        sklearn.f1_score(labels, predictions), abs=1e-12
    )


@pytest.mark.parametrize("predicted", [0, 1])
@pytest.mark.parametrize("actual", [0, 1])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")
def test_classification_of_constants_matches_sklearn(predicted, actual):
    predictions, labels = np.full(4, predicted), np.full(4, actual)
    f1 = sklearn.f1_score(labels, predictions, zero_division=0.0)
    assert score("f1", predictions, labels) == f1
    assert score("matthews", predictions, labels) == 0.0
    assert sklearn.matthews_corrcoef(labels, predictions) == 0.0


@pytest.mark.parametrize("classes", [2, 3])
def test_matthews_of_constant_predictions_is_zero(classes):
    labels = class_ids(0, classes)[1]
    for constant in (np.zeros_like(labels), np.full_like(labels, classes - 1)):
        assert score("matthews", constant, labels) == 0.0 == score("matthews", labels, constant)


@pytest.mark.parametrize("seed", range(5))
def test_regression_matches_scipy(seed):
    predictions, labels = numbers(seed)
    expected = stats.pearsonr(predictions.astype(np.float64), labels.astype(np.float64))
    assert score("pearson", predictions, labels) == pytest.approx(expected.statistic, abs=1e-12)
    expected = stats.spearmanr(predictions, labels)
    assert score("spearman", predictions, labels) == pytest.approx(expected.statistic, abs=1e-12)


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
