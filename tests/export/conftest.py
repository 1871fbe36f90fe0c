"""Finished runs of random small models: every family, kind of task and method, untrained."""

from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest

from maskjax.adaptation import make_adaptation
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig, TrainConfig
from maskjax.inference import Predictor, load_predictor
from maskjax.masking import leaves_by_path, replace_leaves
from maskjax.models import build_model, head_paths, load_base, with_head
from maskjax.taskfile import TASK_FILE, make_meta, make_task_file, save_task_file
from maskjax.tasks import Task

FAMILIES = ("bert", "roberta", "distilbert")
LETTERS = "abcdefghijklmnopqrst"
SHAPE = {
    "vocab_size": 25,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 34,
}
CONFIGS = {
    "bert": {"model_type": "bert", "pad_token_id": 0, **SHAPE},
    "roberta": {"model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1, **SHAPE},
    "distilbert": {
        "model_type": "distilbert",
        "vocab_size": 25,
        "dim": 16,
        "n_layers": 3,
        "n_heads": 4,
        "hidden_dim": 24,
        "max_position_embeddings": 34,
    },
}
TASKS = {
    "classification": Task(name="toy", labels=("low", "middle", "high")),
    "regression": Task(name="toy-score", kind="regression", text=("a", "b"), metric="pearson"),
    "tokens": Task(name="toy-tags", kind="tokens", labels=("O", "B-X", "I-X", "B-Y")),
    "choice": Task(name="toy-choice", kind="choice", text=("a", "b"), labels=("one", "two")),
}


def write_run(base: Path, task: Task, adaptation: AdaptationConfig, folder: Path) -> Path:
    """What a run of this method leaves, with random instead of trained numbers."""
    config = Config(
        model=ModelConfig(base=str(base)),
        task=TaskConfig(name=task.name, text=task.text, max_length=24),
        adaptation=adaptation,
        train=TrainConfig(batch_size=8, buckets=(24,)),
    )
    loaded = load_base(base)
    model = build_model(loaded.config, task.num_outputs, kind=task.kind)
    params = with_head(loaded.params, model, jax.random.key(0))
    drawn = leaves_by_path(params)
    params = replace_leaves(params, {path: 30 * drawn[path] for path in head_paths(model)})
    method = make_adaptation(adaptation, model)
    trained = jax.tree.map(shaken, method.init(jax.random.key(1), params))
    leaves, frozen = leaves_by_path(params), method.freeze(trained, params)
    head = {path: leaves[path] for path in head_paths(model)}
    folder.mkdir()
    frozen = {**frozen, "weight": head | frozen.get("weight", {})}
    meta = make_meta(task, loaded, config, {"dev": 0.5})
    file = make_task_file(frozen, leaves_by_path(loaded.params), meta)
    save_task_file(folder / TASK_FILE, file)
    return folder


def shaken(leaf: jax.Array) -> jax.Array:
    return leaf + 0.1 * jax.random.normal(jax.random.key(leaf.size), leaf.shape)


def texts(columns: int, rows: int = 40) -> list[tuple[str, ...]]:
    random = np.random.default_rng(3)
    lengths = random.integers(1, 30 // columns, (rows, columns))
    return [tuple(" ".join(random.choice(list(LETTERS), n)) for n in row) for row in lengths]


@pytest.fixture(scope="session", params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def base_of(tmp_path_factory, write_base):
    """The folder of a family's base, made once."""
    folder = tmp_path_factory.mktemp("bases")

    @cache
    def make(family: str) -> Path:
        first = ["[UNK]", "[PAD]"] if family == "roberta" else ["[PAD]", "[UNK]"]
        words = [*first, "[CLS]", "[SEP]", "[MASK]", *LETTERS]
        return write_base(folder / family, CONFIGS[family], words, scale=0.3)

    return make


@pytest.fixture(scope="session")
def predictor_of(base_of, tmp_path_factory):
    """Loads a run, each once; keywords are those of the adaptation."""

    made: dict[str, Predictor] = {}

    def make(family: str, kind: str = "classification", task: Task | None = None, **adaptation):
        name = repr((family, kind, task, adaptation))
        if name not in made:
            common = {"start": "uniform", "sparsity": 0.3, "blocks": (1, 2)}
            settings = AdaptationConfig(**{**common, **adaptation})
            folder = tmp_path_factory.mktemp("runs") / "run"
            write_run(base_of(family), task or TASKS[kind], settings, folder)
            made[name] = load_predictor(folder)
        return made[name]

    return make


@pytest.fixture
def sentences():
    """Makes random texts, or pairs of texts; some are longer than the task's maximum."""
    return texts
