"""Finished runs of random small models: every family, kind of task and method, untrained."""

from string import ascii_lowercase

import numpy as np
import pytest

from maskjax.config import AdaptationConfig
from maskjax.inference import TaskPredictor, load_predictor
from maskjax.tasks import Task

FAMILIES = ("bert", "roberta", "distilbert")


def texts(columns: int, rows: int = 40) -> list[tuple[str, ...]]:
    random = np.random.default_rng(3)
    lengths = random.integers(1, 30 // columns, (rows, columns))
    return [
        tuple(" ".join(random.choice(list(ascii_lowercase[:20]), n)) for n in row)
        for row in lengths
    ]


@pytest.fixture(scope="session", params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def predictor_of(base_of, task_of, write_run, tmp_path_factory):
    """Loads a run, each once; keywords are those of the adaptation."""

    made: dict[str, TaskPredictor] = {}

    def make(family: str, kind: str = "classification", task: Task | None = None, **adaptation):
        name = repr((family, kind, task, adaptation))
        if name not in made:
            common = {"start": "uniform", "sparsity": 0.3, "blocks": (1, 2)}
            settings = AdaptationConfig(**{**common, **adaptation})
            folder = tmp_path_factory.mktemp("runs") / "run"
            write_run(base_of(family), task or task_of(kind), settings, folder)
            made[name] = load_predictor(folder)
        return made[name]

    return make


@pytest.fixture
def sentences():
    """Makes random texts, or pairs of texts; some are longer than the task's maximum."""
    return texts
