"""Finished runs of random small models: every family, kind of task and method, untrained."""

from string import ascii_lowercase

import chex
import jax
import numpy as np
import pytest

from maskjax.config import AdaptationConfig
from maskjax.export.huggingface import to_torch
from maskjax.inference import SavedRun, load_run
from maskjax.masking import flatten_with_paths
from maskjax.models import build_model, init_head, load_base
from maskjax.tasks import Task

# Every kind that the reference code masks in block 1, the poolers and the heads: its names.
BLOCK = "encoder.layer.1"
MASKED = {
    "bert": [
        *(f"bert.{BLOCK}.attention.self.{part}" for part in ("key", "query", "value")),
        f"bert.{BLOCK}.attention.output.dense",
        f"bert.{BLOCK}.intermediate.dense",
        f"bert.{BLOCK}.output.dense",
        "bert.pooler.dense",
        "classifier",
    ],
    "roberta": [f"roberta.{BLOCK}.output.dense", "classifier.dense", "classifier.out_proj"],
    "distilbert": [
        *(f"distilbert.transformer.layer.1.attention.{part}_lin" for part in "kqv"),
        "distilbert.transformer.layer.1.attention.out_lin",
        "distilbert.transformer.layer.1.ffn.lin1",
        "distilbert.transformer.layer.1.ffn.lin2",
        "pre_classifier",
        "classifier",
    ],
}

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

    made: dict[str, SavedRun] = {}

    def make(family: str, kind: str = "classification", task: Task | None = None, **adaptation):
        name = repr((family, kind, task, adaptation))
        if name not in made:
            blocks = (0, 0) if family == "albert" else (1, 2)  # which has one
            common = {"initializer": "uniform", "sparsity": 0.3, "blocks": blocks}
            settings = AdaptationConfig(**{**common, **adaptation})
            folder = tmp_path_factory.mktemp("runs") / "run"
            write_run(base_of(family), task or task_of(kind), settings, folder)
            made[name] = load_run(folder)
        return made[name]

    return make


@pytest.fixture
def sentences():
    """Makes random texts, or pairs of texts; some are longer than the task's maximum."""
    return texts


@pytest.fixture(scope="session")
def masked_modules():
    """The modules with scores in the state dicts of `state_of`."""
    return MASKED


@pytest.fixture(scope="session")
def state_of(base_of):
    """Makes the state dict of a whole model of the reference code: `(base, state)`."""

    def make(family, outputs=3, masked=None):
        base, random = load_base(base_of(family)), np.random.default_rng(5)
        drawn = init_head(build_model(base.config, outputs), jax.random.key(3))
        head = jax.tree.map(lambda leaf: 30 * leaf, drawn)
        state = to_torch(flatten_with_paths(base.params | head), family)
        for module in masked or MASKED[family]:
            shape = state[f"{module}.weight"].shape
            state[f"{module}.weight_mask"] = random.uniform(-0.02, 0.1, shape).astype(np.float32)
        return base, state

    return make


@pytest.fixture(scope="session")
def assert_same_leaves():
    """Compares the masks and weights of two imported states."""

    def compare(one, two):
        chex.assert_trees_all_equal(one.delta, two.delta)

    return compare
