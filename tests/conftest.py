"""Strict settings for every test: no silent promotion, several devices, no network."""

import os
from importlib.metadata import version
from importlib.util import find_spec

from packaging.version import Version

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Most of a test's time is spent compiling programs that run for milliseconds. The older emitters
# and one part per program more than halve it; commands of the documents keep XLA's defaults.
QUICK_COMPILES = [
    "--xla_backend_optimization_level=0",
    "--xla_cpu_parallel_codegen_split_count=1",
]
# Newer releases have no older emitters, and end the process at a flag that they do not know.
EMITTERS_REMOVED = {"jaxlib": "0.11", "libtpu": "0.0.24"}
if all(
    Version(version(package)) < Version(removed)
    for package, removed in EMITTERS_REMOVED.items()
    if find_spec(package)
):
    QUICK_COMPILES.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join((os.environ.get("XLA_FLAGS", ""), *QUICK_COMPILES))

import jax

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 4)
# Many tests compile the same small programs; .pytest_cache is pytest's own and git ignores it.
jax.config.update("jax_compilation_cache_dir", os.path.abspath(".pytest_cache/jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from maskjax.adaptation import Delta, make_adaptation
from maskjax.config import (
    AdaptationConfig,
    Config,
    ModelConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
)
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models import (
    build_model,
    head_paths,
    load_base,
    with_head,
)
from maskjax.taskfile import TASK_FILE, make_meta, make_task_file, save_task_file
from maskjax.tasks import Task
from tests.tiny import write_random_base, write_toy_base, write_toy_rows

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
    "xlm-roberta": {"model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1, **SHAPE},
    "camembert": {"model_type": "camembert", "pad_token_id": 1, "type_vocab_size": 1, **SHAPE},
    "electra": {"model_type": "electra", "pad_token_id": 0, "embedding_size": 8, **SHAPE},
    "mpnet": {"model_type": "mpnet", "pad_token_id": 1, **SHAPE},
    "deberta-v2": {  # all that a published one may have
        "model_type": "deberta-v2",
        "pad_token_id": 0,
        **SHAPE,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": False,
        "norm_rel_ebd": "layer_norm",
        "position_buckets": 8,
        "position_biased_input": False,
        "embedding_size": 12,
        "conv_kernel_size": 3,
        "conv_act": "gelu",
    },
    "albert": {"model_type": "albert", "pad_token_id": 0, "embedding_size": 8, **SHAPE},
    "eurobert": {
        "model_type": "eurobert",
        "pad_token_id": 0,
        **SHAPE,
        "num_key_value_heads": 2,
    },
    "gemma3_text": {
        "model_type": "gemma3_text",
        "pad_token_id": 0,
        **SHAPE,
        "num_key_value_heads": 2,
        "head_dim": 6,
        "query_pre_attn_scalar": 6,
        "sliding_window": 6,
        "sliding_window_pattern": 2,
        "use_bidirectional_attention": True,
    },
    "modernbert": {
        "model_type": "modernbert",
        "pad_token_id": 0,
        "classifier_pooling": "mean",
        "local_attention": 6,
        **SHAPE,
    },
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


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tokenized rows are kept for this session only."""
    os.environ["MASKJAX_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def standard_promotion():
    """For optax, which adds Python floats to integer counts."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="session")
def timed_events() -> list[str]:
    """The names of all events that JAX times; jax 0.7 cannot remove a listener, so one stays."""
    events: list[str] = []
    listen = lambda event, seconds, **_: events.append(event)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listen)
    return events


@pytest.fixture(scope="session")
def write_base() -> Callable[..., Path]:
    """Writes a checkpoint in which every parameter, biases and norms too, is random."""
    return write_random_base


@pytest.fixture(scope="session")
def toy_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two blocks with random weights and a vocabulary of ten words, as a local folder."""
    return write_toy_base(tmp_path_factory.mktemp("toy-base"))


@pytest.fixture(scope="session")
def toy_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences whose label is whether they say good or bad, as train.tsv, dev.tsv, test.tsv."""
    return write_toy_rows(tmp_path_factory.mktemp("toy-rows"))


@pytest.fixture(scope="session")
def toy_config(toy_base: Path, toy_rows: Path) -> Callable[..., Config]:
    """Makes the configuration of a run of seconds; keywords replace whole parts of it."""

    def make(**parts) -> Config:
        defaults = {
            "model": ModelConfig(base=str(toy_base)),
            "task": TaskConfig(
                name="toy", path=str(toy_rows), text=("text",), label="label", max_length=16
            ),
            "optimizer": OptimizerConfig(learning_rate=1e-2),
            "train": TrainConfig(batch_size=16, epochs=2, buckets=(8, 16)),
        }
        return Config(**{**defaults, **parts})

    return make


@pytest.fixture(scope="session")
def task_of() -> Callable[[str], Task]:
    """A small task of each kind."""
    return TASKS.__getitem__


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Writes a finished run of a small model: every family, kind of task and method, untrained."""
    return _write_run


def _write_run(
    base: Path,
    task: Task,
    adaptation: AdaptationConfig,
    folder: Path,
    seed: int = 0,
    *,
    rows: Path | None = None,
    holdout: float = 0.0,
    stride: int | None = None,
) -> Path:
    """What a run of this method leaves, with random instead of trained numbers."""
    config = Config(
        model=ModelConfig(base=str(base)),
        task=TaskConfig(
            name=task.name,
            text=task.text,
            max_length=24,
            stride=stride,
            path=str(rows) if rows else None,
            label=task.label,
            kind=task.kind,
            holdout=holdout,
        ),
        adaptation=adaptation,
        train=TrainConfig(batch_size=8, buckets=(24,), seed=seed),
    )
    loaded = load_base(base)
    model = build_model(loaded.config, task.num_outputs, kind=task.kind)
    params = with_head(loaded.params, model, jax.random.key(seed))
    drawn = flatten_with_paths(params)
    scale = 0.6 / loaded.config.head_std  # logits of about one
    params = update_leaves(params, {path: scale * drawn[path] for path in head_paths(model)})
    method = make_adaptation(adaptation, model)
    trained = jax.tree.map(_shaken, method.init(jax.random.key(seed + 1), params))
    leaves = flatten_with_paths(params)
    head = {path: leaves[path] for path in head_paths(model)}
    folder.mkdir()
    delta = Delta.of(weights=head) | method.finalize(trained, params)
    meta = make_meta(task, loaded, config, {"dev": 0.5})
    file = make_task_file(delta, flatten_with_paths(loaded.params), meta)
    save_task_file(folder / TASK_FILE, file)
    return folder


def _shaken(leaf: jax.Array) -> jax.Array:
    return leaf + 0.1 * jax.random.normal(jax.random.key(leaf.size), leaf.shape)


@pytest.fixture(scope="session")
def base_of(tmp_path_factory, write_base):
    """The folder of a family's base, made once."""
    folder = tmp_path_factory.mktemp("bases")

    @cache
    def make(family: str) -> Path:
        values = CONFIGS[family]
        first = ["[UNK]", "[PAD]"] if values.get("pad_token_id") == 1 else ["[PAD]", "[UNK]"]
        words = [*first, "[CLS]", "[SEP]", "[MASK]", *LETTERS]
        return write_base(folder / family, values, words, scale=0.3)

    return make
