"""A small task and the leaves of the base that it belongs to."""

import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.taskfile import make_task_file

META = {
    "task": {"name": "x", "kind": "classification", "labels": ["no", 'so "checksum": "0'],
             "metric": "accuracy", "text": ["text"]},
    "scores": {"dev": 0.75},
    "base": {"name": "some/base", "revision": None},
    "tokenizer": {"name": "some/base", "max_length": 16},
    "mask": {"polarity": "1 keeps, 0 drops", "threshold": 0.01, "rules": [".*/kernel"]},
    "config": {"adaptation": {"method": "mask"}},
}  # fmt: skip


@pytest.fixture
def base():
    random = np.random.default_rng(1)
    shapes = {"a/kernel": (5, 7), "a/bias": (7,), "b/kernel": (3,), "norm/scale": (7,)}
    return {path: random.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}


@pytest.fixture
def delta():
    random = np.random.default_rng(0)
    masks = {"a/kernel": random.random((5, 7)) > 0.1, "b/kernel": random.random(3) > 0.5}
    head, a, b = (random.normal(size=s).astype(np.float32) for s in ((7, 2), (5, 2), (2, 7)))
    return Delta.of(weights={"head/kernel": head}, low_rank={"a/kernel": (a, b)}, masks=masks)


@pytest.fixture
def meta():
    return META


@pytest.fixture
def task(delta, base):
    return make_task_file(delta, base, META)
