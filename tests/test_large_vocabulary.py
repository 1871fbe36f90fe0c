"""A table of 256,000 embeddings is in memory once, and in no step and no file."""

import dataclasses
import gc

import jax
import numpy as np
import pytest

from maskjax import Predictor
from maskjax.config import AdaptationConfig, ModelConfig
from maskjax.taskfile import TASK_FILE
from maskjax.training import init_state, make_loss, make_train_step, prepare, run
from tests.conftest import CONFIGS
from tests.tiny import WORDS

pytestmark = pytest.mark.usefixtures("standard_promotion")
VOCABULARY = 256_000
TABLE = VOCABULARY * 16 * 4
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(
    scope="module", params=["bert", pytest.param("gemma3_text", marks=pytest.mark.slow)]
)
def base(request, tmp_path_factory, write_base):
    values = CONFIGS[request.param] | {"vocab_size": VOCABULARY}
    folder = tmp_path_factory.mktemp("base") / "base"
    return write_base(folder, values, [*SPECIAL, *WORDS, "##s"], scale=0.3)


def held_tables() -> int:
    """Buffers on the device that are as large as the table."""
    gc.collect()
    sizes = {array.unsafe_buffer_pointer(): array.nbytes for array in jax.live_arrays()}
    return sum(size >= TABLE for size in sizes.values())


def test_tasks_share_the_table(base, task_of, write_run, tmp_path):
    settings = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(1, 2))
    tasks = [
        write_run(base, task_of("classification"), settings, tmp_path / name, seed)
        for seed, name in enumerate("abcd")
    ]
    before = held_tables()
    predictor = Predictor(base, tasks=tasks, buckets=(16,), rows=(4,))
    predictor(["good film", "a bad book"] * 2, tasks=list("abcd"))
    assert held_tables() == before + 1
    assert max((folder / TASK_FILE).stat().st_size for folder in tasks) < TABLE / 100


@pytest.mark.parametrize("method", ["mask", "lora"])
def test_a_step_has_no_copy_of_the_table(method, base, toy_config):
    config = toy_config(
        model=ModelConfig(base=str(base)), adaptation=AdaptationConfig(method=method)
    )
    experiment = prepare(config)
    step = make_train_step(
        experiment.model, experiment.adaptation, experiment.optimizer, make_loss("classification")
    )
    state = init_state(
        experiment.adaptation, experiment.optimizer, experiment.params, jax.random.key(0)
    )
    ids = np.ones((8, 16), np.int32)
    batch = {"input_ids": ids, "attention_mask": ids, "token_type_ids": 0 * ids}
    batch |= {"labels": ids[:, 0], "weights": np.ones(8, np.float32)}
    memory = step.lower(state, experiment.params, batch).compile().memory_analysis()
    assert memory.temp_size_in_bytes < TABLE / 4
    assert memory.output_size_in_bytes < TABLE / 4


@pytest.mark.slow
def test_a_run_leaves_no_copy_of_the_table(base, toy_config, tmp_path):
    config = toy_config(model=ModelConfig(base=str(base)))
    short = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=1))
    run(short, tmp_path / "run")
    sizes = [path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert sum(sizes) < TABLE / 4
