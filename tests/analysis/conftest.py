"""Finished runs of a tiny model, untrained, with rows of random letters to study them on."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from maskjax.config import AdaptationConfig
from maskjax.taskfile import TASK_FILE, load_task_file, save_task_file
from maskjax.tasks import Task

METHODS = {
    "mask": {"initializer": "uniform", "sparsity": 0.3, "blocks": (1, 2)},
    "finetune": {"method": "finetune"},
}


@pytest.fixture(scope="session")
def rows_of(tmp_path_factory):
    """A folder of rows with these labels."""

    @cache
    def make(labels: tuple[str, ...], splits: tuple[tuple[str, int], ...]) -> Path:
        folder, random = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
        for split, count in splits:
            texts = (" ".join(random.choice(list("abcdefgh"), 6)) for _ in range(count))
            lines = [f"{text}\t{labels[row % len(labels)]}" for row, text in enumerate(texts)]
            (folder / f"{split}.tsv").write_text("\n".join(["text\tlabel", *lines, ""]))
        return folder

    return make


@pytest.fixture(scope="session")
def finished(base_of, write_run, rows_of, tmp_path_factory):
    """The folder of a finished run, made once and only read."""

    @cache
    def make(
        method: str = "mask",
        seed: int = 0,
        labels: tuple[str, ...] = ("no", "yes"),
        name: str = "toy",
        *,
        holdout: float = 0.0,
    ) -> Path:
        folder = tmp_path_factory.mktemp("finished") / f"{name}-{method}-{seed}"
        task, adaptation = Task(name=name, labels=labels), AdaptationConfig(**METHODS[method])
        rows = rows_of(labels, (("train", 60),) if holdout else (("train", 8), ("dev", 30)))
        write_run(base_of("bert"), task, adaptation, folder, seed, rows=rows, holdout=holdout)
        (folder / "result.json").write_text("{}")
        return folder

    return make


@pytest.fixture(scope="session")
def with_meta(finished, tmp_path_factory):
    """A copy of a finished run with other metadata."""

    def make(part: str, **values) -> Path:
        folder = shutil.copytree(finished(), tmp_path_factory.mktemp("changed") / "run")
        file = load_task_file(folder / TASK_FILE)
        meta = {**file.meta, part: file.meta[part] | values}
        save_task_file(folder / TASK_FILE, file._replace(meta=meta))
        return folder

    return make
