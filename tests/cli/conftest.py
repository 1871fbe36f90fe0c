"""Fixtures of commands."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.cli.common import RunOptions
from maskjax.config import Config, TaskConfig, TrainConfig
from maskjax.inference import SavedRun
from maskjax.tasks import Split, Task, load_tokenizer

GOOD, BAD = 5, 6  # ids in the vocabulary of the toy base


def tag_tokens(params, inputs):
    """Labels the token `good` B-GOOD, `bad` I-GOOD, and all others O."""
    ids = inputs["input_ids"]
    return 9.0 * jax.nn.one_hot(jnp.where(ids == GOOD, 1, jnp.where(ids == BAD, 2, 0)), 3)


def choose_good(params, inputs):
    """Chooses the sequence with the most tokens `good`."""
    return (inputs["input_ids"] == GOOD).sum(axis=1).reshape(-1, 3).astype(jnp.float32)


def find_good(params, inputs):
    """Predicts class 1 for sequences with the token `good`."""
    return jax.nn.one_hot((inputs["input_ids"] == GOOD).any(axis=1).astype(jnp.int32), 2)


def good_bad_or_neither(params, inputs):
    """Predicts class 1 for sequences with `good`, else 0 for those with `bad`, else 2."""
    has_good, has_bad = ((inputs["input_ids"] == word).any(axis=1) for word in (GOOD, BAD))
    return 2.0 * jax.nn.one_hot(jnp.where(has_good, 1, jnp.where(has_bad, 0, 2)), 3)


def count_good(params, inputs):
    """Counts the token `good`."""
    return (inputs["input_ids"] == GOOD).sum(axis=1, keepdims=True).astype(jnp.float32)


ENDINGS = ("e0", "e1", "e2")
TASKS = {
    "tokens": ({"name": "ud_pos"}, ("O", "B-GOOD", "I-GOOD"), tag_tokens),
    "choice": ({"name": "t", "text": ("q",), "choices": ENDINGS}, ("x", "y", "z"), choose_good),
    "classification": ({"name": "glue/sst2"}, ("negative", "positive"), find_good),
    "three": ({"name": "t"}, ("anger", "joy", "rest"), good_bad_or_neither),
    "regression": ({"name": "t", "metric": "pearson"}, (), count_good),
}


@pytest.fixture(autouse=True, scope="module")
def promotion_of_optax(standard_promotion):
    """Every test here may train."""


@pytest.fixture
def use(toy_base, monkeypatch):
    """Makes every saved run, and every predictor, one of this kind."""

    def make(kind, **settings) -> SavedRun:
        values, labels, apply = TASKS[kind]
        kind = "classification" if kind == "three" else kind
        config = Config(
            task=TaskConfig(**{"kind": kind, "max_length": 16, **values, **settings}),
            train=TrainConfig(batch_size=2, buckets=(8, 16)),
        )
        task = Task(kind=kind, labels=labels, **values)
        base = SimpleNamespace(config=SimpleNamespace(pad_token_id=0, max_positions=32))
        model, tokenizer = SimpleNamespace(apply=apply), load_tokenizer(toy_base, kind)
        saved = SavedRun(config, task, None, base, model, {}, tokenizer)

        def logits(rows):
            units = sum(map(len, rows)) if kind == "tokens" else len(rows)
            return saved.logits(saved.encode(Split(rows, np.zeros(units, np.int32), kind)))

        predictor = SimpleNamespace(tasks={"t": task}, configs={"t": config}, logits=logits)
        monkeypatch.setattr(RunOptions, "load", lambda self: saved)
        monkeypatch.setattr(RunOptions, "load_predictor", lambda self: predictor)
        return saved

    return make
