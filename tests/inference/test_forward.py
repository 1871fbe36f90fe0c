"""Logits of all kinds are returned by row and word; the model is a known function."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from seqeval.metrics import f1_score

from maskjax.inference import make_predict, predict_logits, score_logits
from maskjax.inference.forward import INPUTS
from maskjax.models import build_model, load_base, with_head
from maskjax.tasks import IGNORED, Encoded, Ragged, Task, eval_batches
from maskjax.training import make_loss

BATCHING = {"batch_size": 4, "buckets": (6, 12), "pad_id": 0}


def random_ids(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(1, 99, random.integers(2, 12)).astype(np.int32) for _ in range(count)]


def encode(ids: list[np.ndarray], units: int, **options) -> Encoded:
    rows = Ragged.from_rows(ids)
    return Encoded(rows, rows, np.zeros(units, np.int32), **options)


def test_words_get_the_logits_of_their_tokens():
    random = np.random.default_rng(1)
    ids = random_ids(11)
    places = [random.integers(-1, len(row), random.integers(1, 7)).astype(np.int32) for row in ids]
    units = sum(map(len, places))
    encoded = encode(ids, units, word_positions=Ragged.from_rows(places))

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
def test_loss_is_the_mean_of_weighted_rows(kind):
    random = np.random.default_rng(2)
    shape = (4, 5) if kind == "tokens" else (4,)
    logits = random.normal(size=(*shape, 3)).astype(np.float32)
    labels = random.integers(3, size=shape).astype(np.int32)
    weights = (random.random(shape) < 0.6).astype(np.float32)
    loss = make_loss(kind)(jnp.asarray(logits), jnp.asarray(labels), jnp.asarray(weights))
    losses = -np.take_along_axis(log_softmax(logits, axis=-1), labels[..., None], axis=-1)[..., 0]
    assert float(loss) == pytest.approx(losses[weights == 1].mean(), abs=1e-6)


def test_batch_without_a_word_has_no_loss_and_no_gradient():
    loss = make_loss("tokens")
    zeros = jnp.zeros((2, 3))
    gradient = jax.grad(lambda x: loss(x, zeros.astype(jnp.int32), zeros))(jnp.ones((2, 3, 4)))
    assert float(jnp.abs(gradient).sum()) == 0.0


def test_token_loss_of_uniform_logits_is_log_two():
    ids, places = random_ids(5), [np.array([1, 0], np.int32)] * 5
    encoded = encode(ids, 10, word_positions=Ragged.from_rows(places))
    for _, batch in eval_batches(encoded, **BATCHING):
        logits = jnp.zeros((*batch["input_ids"].shape, 2))
        loss = make_loss("tokens")(logits, batch["labels"], batch["weights"])
        assert float(loss) == pytest.approx(np.log(2), abs=1e-6)


IGNORED_TASK = Task(name="t", kind="tokens", labels=("O", "B-X", "I-X"), metric="entity_f1")


def test_ignored_words_do_not_count_in_metrics():
    """seqeval gets the remaining words, as in the examples of transformers."""
    random = np.random.default_rng(2)
    sizes = random.integers(1, 9, 30)
    labels = random.integers(3, size=sizes.sum()).astype(np.int32)
    labels[random.random(len(labels)) < 0.3] = IGNORED
    logits = random.normal(size=(len(labels), 3)).astype(np.float32)
    ends = np.cumsum(sizes)[:-1]
    kept = [
        (p[y >= 0], y[y >= 0])
        for p, y in zip(np.split(logits.argmax(axis=1), ends), np.split(labels, ends), strict=True)
    ]
    names = IGNORED_TASK.labels
    predicted, actual = ([[names[i] for i in pair[side]] for pair in kept] for side in (0, 1))
    score = score_logits(IGNORED_TASK, logits, labels, sizes)
    assert score == pytest.approx(f1_score(actual, predicted), abs=1e-12)
    task = dataclasses.replace(IGNORED_TASK, metric="accuracy")
    right = np.concatenate([p == y for p, y in kept])
    assert score_logits(task, logits, labels, sizes) == pytest.approx(right.mean(), abs=1e-12)
    assert score_logits(task, logits, labels) == pytest.approx(right.mean(), abs=1e-12)


def test_ignored_words_have_no_loss():
    """PyTorch's cross-entropy does the same with its ignore_index, -100."""
    torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
    random = np.random.default_rng(3)
    places = [np.arange(1, size + 1) for size in random.integers(1, 9, 4)]
    ids = [np.arange(len(at) + 2, dtype=np.int32) for at in places]
    labels = random.integers(3, size=sum(map(len, places))).astype(np.int32)
    labels[::3] = IGNORED
    encoded = encode(ids, len(labels), word_positions=Ragged.from_rows(places))._replace(
        labels=labels
    )
    ((_, batch),) = eval_batches(encoded, **BATCHING | {"buckets": (12,)})
    logits = random.normal(size=(4, 12, 3)).astype(np.float32)
    rows = np.repeat(np.arange(4), [len(at) for at in places])
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits[rows, np.concatenate(places)]), torch.tensor(labels, dtype=torch.int64)
    )
    loss, slope = jax.value_and_grad(make_loss("tokens"))(logits, batch["labels"], batch["weights"])
    assert float(loss) == pytest.approx(expected.item(), abs=1e-6)
    touched = np.abs(slope).sum(axis=-1)[rows, np.concatenate(places)] > 0
    assert touched.tolist() == (labels != IGNORED).tolist()


def test_ignored_words_without_a_token_are_not_counted_as_lost():
    encoded = encode(
        [np.arange(3, dtype=np.int32)], 3, word_positions=Ragged.from_rows([[1, -1, -1]])
    )
    assert encoded._replace(labels=np.array([0, IGNORED, 1], np.int32)).unseen_words == 1


@pytest.mark.parametrize("kind", ["classification", "tokens", "choice"])
def test_parts_of_a_batch_give_the_logits_of_the_whole(kind, base_of):
    base = load_base(base_of("modernbert"))
    model = build_model(base.config, 3, kind=kind)
    params = with_head(base.params, model, jax.random.key(0))
    ids = random_ids(33)
    units = {"classification": 33, "choice": 11, "tokens": sum(map(len, ids))}[kind]
    encoded = encode(ids, units)
    if kind == "choice":
        encoded = encoded._replace(choices=3)
    if kind == "tokens":
        places = [np.arange(len(row), dtype=np.int32) for row in encoded.input_ids]
        encoded = encoded._replace(word_positions=Ragged.from_rows(places))
    ids = Ragged(encoded.input_ids.values % 25, encoded.input_ids.lengths)
    encoded = encoded._replace(input_ids=ids, token_type_ids=Ragged(0 * ids.values, ids.lengths))
    whole, by_two = (
        predict_logits(make_predict(model, parts), params, encoded, **BATCHING) for parts in (1, 2)
    )
    np.testing.assert_allclose(by_two, whole, atol=1e-5)
    assert np.ptp(whole) > 1e-3


def test_programs_in_parts_are_compiled_once(base_of, timed_events):
    base = load_base(base_of("bert"))
    model = build_model(base.config, 2)
    params = with_head(base.params, model, jax.random.key(0))
    inputs = {name: np.ones((4, 8), np.int32) for name in INPUTS}
    make_predict(model, 2)(params, inputs)
    timed_events.clear()
    make_predict(model, 2)(params, inputs)
    assert not [event for event in timed_events if "compile" in event]
