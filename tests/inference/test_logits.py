"""Logits of all kinds find their way back to rows and words; the model is a known function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from maskjax.inference import predict_logits, score_logits
from maskjax.tasks import Encoded, Ragged, Task, eval_batches
from maskjax.training import make_loss

BATCHING = {"batch_size": 4, "buckets": (6, 12), "pad_id": 0}


def random_ids(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(1, 99, random.integers(2, 12)).astype(np.int32) for _ in range(count)]


def encode(ids: list[np.ndarray], units: int, **options) -> Encoded:
    rows = Ragged.of(ids)
    return Encoded(rows, rows, np.zeros(units, np.int32), truncated=0, **options)


def test_words_get_the_logits_of_their_tokens():
    random = np.random.default_rng(1)
    ids = random_ids(11)
    places = [random.integers(-1, len(row), random.integers(1, 7)).astype(np.int32) for row in ids]
    units = sum(map(len, places))
    encoded = encode(ids, units, places=Ragged.of(places))

    def predict(_, inputs):
        return jnp.stack([inputs["input_ids"], -inputs["input_ids"]], axis=-1).astype(jnp.float32)

    logits = predict_logits(predict, {}, encoded, **BATCHING)
    expected = np.concatenate(
        [np.where(at < 0, np.nan, row[at]) for row, at in zip(ids, places, strict=True)]
    )
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(logits[:, 0], expected)
    np.testing.assert_array_equal(logits[:, 1], -expected)


def test_rows_of_choices_get_their_own_logits():
    ids = random_ids(3 * 11)
    encoded = encode(ids, 11, choices=3)

    def predict(_, inputs):
        return inputs["input_ids"].sum(axis=1).reshape(-1, 3).astype(jnp.float32)

    logits = predict_logits(predict, {}, encoded, **BATCHING)
    assert logits.tolist() == np.reshape([row.sum() for row in ids], (11, 3)).tolist()


def test_words_without_logits_count_as_wrong():
    task = Task(name="t", kind="tokens", labels=("a", "b"))
    logits = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0], [1.0, 0.0]], np.float32)
    assert score_logits(task, logits, np.array([0, 0, 1, 1])) == 0.5


@pytest.mark.parametrize("kind", ["classification", "choice", "tokens"])
def test_loss_is_the_mean_of_what_has_a_weight(kind):
    random = np.random.default_rng(2)
    shape = (4, 5) if kind == "tokens" else (4,)
    logits = random.normal(size=(*shape, 3)).astype(np.float32)
    labels = random.integers(3, size=shape).astype(np.int32)
    weights = (random.random(shape) < 0.6).astype(np.float32)
    loss = make_loss(kind)(jnp.asarray(logits), jnp.asarray(labels), jnp.asarray(weights))
    each = -np.take_along_axis(log_softmax(logits, axis=-1), labels[..., None], axis=-1)[..., 0]
    assert float(loss) == pytest.approx(each[weights == 1].mean(), abs=1e-6)


def test_batch_without_a_word_has_no_loss_and_no_gradient():
    loss = make_loss("tokens")
    zeros = jnp.zeros((2, 3))
    gradient = jax.grad(lambda x: loss(x, zeros.astype(jnp.int32), zeros))(jnp.ones((2, 3, 4)))
    assert float(jnp.abs(gradient).sum()) == 0.0


def test_loss_takes_the_batches_of_words():
    ids, places = random_ids(5), [np.array([1, 0], np.int32)] * 5
    encoded = encode(ids, 10, places=Ragged.of(places))
    for _, batch in eval_batches(encoded, **BATCHING):
        logits = jnp.zeros((*batch["input_ids"].shape, 2))
        loss = make_loss("tokens")(logits, batch["labels"], batch["weights"])
        assert float(loss) == pytest.approx(np.log(2), abs=1e-6)
