"""Task files of random small models."""

from string import ascii_lowercase
from typing import NamedTuple

import jax
import numpy as np
import pytest

from maskjax.adaptation import Delta, Mask
from maskjax.config import AdaptationConfig
from maskjax.inference import SavedRun, load_run
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.packed import PackedMask
from maskjax.models import load_base
from maskjax.taskfile import TaskFile, load_task_file, save_task_file

COMMON = {"initializer": "uniform", "sparsity": 0.3, "blocks": (1, 2)}
METHODS = {
    "masks": ("classification", {}),
    "numbers": ("regression", {}),
    "words": ("tokens", {}),
    "choices": ("choice", {"head": "both"}),
    "biases": ("classification", {"head": "masked", "biases": True}),
    "heads": ("classification", {"granularity": "head", "structured": ("query", "key", "value")}),
    "lora": ("classification", {"method": "lora"}),
    "finetuned": ("tokens", {"method": "finetune"}),
    "bitfit": ("choice", {"method": "bitfit"}),
}
"""Runs by name: their kind and how they were adapted."""


class Made(NamedTuple):
    """A task file and what runs it by itself."""

    path: str
    alone: SavedRun


@pytest.fixture(scope="session")
def run_of(base_of, task_of, write_run, tmp_path_factory):
    """One of `METHODS`, made once."""
    made: dict[tuple[str, str], SavedRun] = {}

    def make(family: str, name: str) -> SavedRun:
        if (family, name) not in made:
            kind, settings = METHODS[name]
            folder = tmp_path_factory.mktemp("runs") / name
            method = AdaptationConfig(**{**COMMON, **settings})
            write_run(base_of(family), task_of(kind), method, folder)
            made[family, name] = load_run(folder)
        return made[family, name]

    return make


@pytest.fixture(scope="session")
def make_task(run_of, tmp_path_factory):
    """Writes a task file like that of a run, with masks and weights of its own."""
    folder = tmp_path_factory.mktemp("tasks")

    def make(family: str, name: str, seed: int) -> Made:
        like, random = run_of(family, name), np.random.default_rng(seed)
        file = shuffled(like.file, random)
        path = folder / f"{family}-{name}-{seed}.safetensors"
        save_task_file(path, file)
        params = load_task_file(path).delta.apply(_blank(like))
        return Made(str(path), like._replace(file=file, params=params))

    return make


def shuffled(file: TaskFile, random: np.random.Generator) -> TaskFile:
    masks = {path: _shuffled(mask, random) for path, mask in file.masks.items()}
    scaled = jax.tree.map(
        lambda leaf: leaf * np.float32(random.uniform(0.5, 1.5)), file.delta.without(Mask)
    )
    return file._replace(delta=scaled | Delta.of(masks=masks))


def _shuffled(mask: PackedMask, random: np.random.Generator) -> PackedMask:
    return PackedMask.of(random.permutation(mask.unpack().ravel()).reshape(mask.shape))


def _blank(like: SavedRun) -> dict:
    """The base's params with a head of zeros."""
    base = flatten_with_paths(load_base(like.base.folder).params)
    leaves = {
        path: base.get(path, np.zeros(leaf.shape, np.float32))
        for path, leaf in flatten_with_paths(like.params).items()
    }
    return update_leaves(like.params, leaves)


@pytest.fixture(scope="session")
def random_rows():
    """Makes rows of a task of texts of any length; some are longer than what a run takes."""

    def make(alone: SavedRun, count: int, seed: int = 0) -> list[tuple[str, ...]]:
        random, task = np.random.default_rng(seed), alone.task
        letters = list(ascii_lowercase[:20])
        if task.kind == "tokens":
            return [tuple(random.choice(letters, random.integers(1, 30))) for _ in range(count)]
        texts = 1 + len(task.labels) if task.kind == "choice" else len(task.text)
        lengths = random.integers(1, 15, (count, texts))
        return [tuple(" ".join(random.choice(letters, n)) for n in row) for row in lengths]

    return make
