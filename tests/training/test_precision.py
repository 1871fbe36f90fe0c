"""A run with frozen matrices, first moments and products in bfloat16."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from maskjax.config import AdaptationConfig, ModelConfig, OptimizerConfig, TrainConfig
from maskjax.errors import InputError
from maskjax.inference import load_run
from maskjax.masking import flatten_with_paths
from maskjax.tasks import load_task
from maskjax.training import init_state, make_optimizer, prepare, run

ONE_EPOCH = TrainConfig(batch_size=16, epochs=1, buckets=(16,))


@pytest.fixture
def lean(toy_config, toy_base):
    return toy_config(
        model=ModelConfig(base=str(toy_base), dtype="bfloat16", frozen_dtype="bfloat16"),
        optimizer=OptimizerConfig(learning_rate=1e-2, moment_dtype="bfloat16"),
        train=ONE_EPOCH,
    )


def test_only_moments_and_frozen_matrices_are_bfloat16(lean):
    experiment = prepare(lean)
    optimizer = make_optimizer(lean.optimizer, 10)
    state = init_state(experiment.adaptation, optimizer, experiment.params, jax.random.key(0))
    leaves = flatten_with_paths(jax.tree.map(lambda leaf: leaf, state._asdict() | {"key": 0}))
    moments = {path: leaf.dtype for path, leaf in leaves.items() if "/mu/" in path}
    assert set(moments.values()) == {jnp.dtype("bfloat16")}
    others = {leaf.dtype for path, leaf in leaves.items() if "/nu/" in path or "trainable" in path}
    assert others == {jnp.dtype("float32")}
    assert (
        experiment.params["encoder"]["layer"]["1"]["output"]["dense"]["kernel"].dtype == "bfloat16"
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(experiment.base.params)} == {
        jnp.dtype("float32")
    }


def test_task_file_of_a_bfloat16_run_fits_the_stored_base(lean, tmp_path):
    result = run(lean, tmp_path / "run")
    predictor = load_run(tmp_path / "run")  # checks the digests of the base
    assert predictor.params["pooler"]["dense"]["kernel"].dtype == jnp.float32
    dev = load_task(lean.task).splits["dev"]
    assert predictor.score(dev) == pytest.approx(result.scores["dev"], abs=0.05)


def test_finetuning_refuses_bfloat16_storage(lean):
    config = replace(lean, adaptation=AdaptationConfig(method="finetune"))
    with pytest.raises(InputError, match=r"model\.frozen_dtype: finetuning"):
        prepare(config)
