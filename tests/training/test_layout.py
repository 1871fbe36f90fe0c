"""Training on a mesh of devices against training on one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from maskjax.config import AdaptationConfig, MeshConfig, OptimizerConfig, TrainConfig
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.training import StoppedError, fit, fit_seeds, prepare, prepare_seeds
from maskjax.training.checkpoint import Checkpoints
from maskjax.training.sharding import make_layout, partition_spec

ROOT = Path(__file__).parents[2]
FOUR = MeshConfig(data=-1, fsdp=True)
TWO_BY_TWO = MeshConfig(data=2, model=2, fsdp=True)


@pytest.fixture(scope="module", autouse=True)
def every_loss():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskjax.training.hooks.log.LOG_EVERY", 1)
        yield


@pytest.fixture(scope="module")
def configured(toy_config):
    """Dropout, sampled masks and padding rows, which could depend on the place of a row."""

    def make(mesh, **settings):
        return toy_config(
            adaptation=AdaptationConfig(
                binarizer="bernoulli", initializer="uniform", sparsity=0.3, blocks=(0, 1)
            ),
            optimizer=OptimizerConfig(learning_rate=3e-3),
            train=TrainConfig(
                batch_size=20, epochs=1, buckets=(16,), dropout=0.1, eval_every=5, **settings
            ),
            mesh=mesh,
        )

    return make


@pytest.fixture(scope="module")
def alone(configured, listener):
    recorded = listener()
    return fit(prepare(configured(MeshConfig())), [recorded]), recorded


def assert_same(found, recorded, alone):
    result, expected = alone
    for name in ("loss", "gradient_norm", "score"):
        assert recorded.of(name) == pytest.approx(expected.of(name), abs=1e-5)
    assert len(recorded.of("loss")) == 5
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        found.trainable,
        result.trainable,
    )


def test_mesh_training_equals_one_device(configured, listener, alone):
    recorded = listener()
    experiment = prepare(configured(TWO_BY_TWO))
    assert_same(fit(experiment, [recorded]), recorded, alone)


@pytest.mark.slow
def test_run_resumes_with_another_number_of_devices(
    configured, listener, alone, tmp_path, sigterm_at
):
    """Two steps run on four devices, one on one, and the rest on four."""
    four = MeshConfig(data=4)
    recorded = listener()

    def resume(mesh, *steps):
        with Checkpoints(str(tmp_path), {}, None, print) as checkpoints:
            hooks = [recorded, sigterm_at(*steps)]
            return fit_seeds([prepare(configured(mesh))], hooks, checkpoints)[0]

    for mesh, step in ((four, 2), (MeshConfig(), 3)):
        with pytest.raises(StoppedError, match=f"saved at step {step}"):
            resume(mesh, step)
    assert_same(resume(four), recorded, alone)


def test_seeds_on_a_mesh_equal_single_runs(configured, listener, alone):
    experiments = prepare_seeds(configured(FOUR, seeds=2))
    heard = [listener(seed) for seed in range(2)]
    assert_same(fit_seeds(experiments, heard)[0], heard[0], alone)


def test_params_are_sharded_by_the_rules(configured):
    experiment = prepare(configured(TWO_BY_TWO))
    leaves = flatten_with_paths(experiment.params)
    kernel = leaves["encoder/layer/0/attention/output/dense/kernel"]
    assert kernel.sharding.shard_shape(kernel.shape) == (8, 8)
    again = flatten_with_paths(experiment.layout.place(experiment.params))
    assert all(again[path] is leaf for path, leaf in leaves.items())


@pytest.mark.parametrize(
    ("path", "shape", "expected"),
    [
        ("scores/encoder/layer/1/attention/self/query/kernel", (8, 16), P("data", "model")),
        ("mu/scores/encoder/layer/1/output/dense/kernel", (8, 16), P("model", "data")),
        ("encoder/layer/1/attention/self/key/bias", (16,), P("model")),
        ("encoder/layer/1/output/dense/bias", (16,), P(None)),
        ("own/classifier/kernel", (5, 16, 3), P(None, "data", None)),
        ("embeddings/word_embeddings/embedding", (30522, 16), P(None, "data")),
        ("encoder/layer/1/attention/self/value/kernel", (7, 16), P(None, "model")),
        ("initial/encoder/layer/1/attention/self/value/kernel", (16,), P()),
        ("step", (), P()),
    ],
)
def test_partition_specs_match_the_rules(path, shape, expected):
    assert partition_spec(path, shape, {"data": 4, "model": 2}) == expected


@pytest.mark.parametrize(
    ("mesh", "train", "message"),
    [
        (MeshConfig(data=5), {}, r"mesh: data 5 x model 1 does not fit the 4 devices"),
        (MeshConfig(data=-1, model=3), {}, r"mesh: data -1 x model 3 does not fit the 4 devices"),
        (MeshConfig(data=4), {"batch_size": 6}, r"train.batch_size: .* 4 x 1, got 6"),
        (
            MeshConfig(data=4),
            {"batch_size": 16, "accumulate": 8},
            r"train.batch_size: .* 4 x 8, got 16",
        ),
    ],
)
def test_mesh_that_does_not_fit_is_refused(toy_config, mesh, train, message):
    with pytest.raises(InputError, match=message):
        make_layout(toy_config(mesh=mesh, train=TrainConfig(**train)))


def test_one_device_has_no_mesh(toy_config):
    assert make_layout(toy_config()).mesh is None


@pytest.mark.slow
def test_eight_devices_equal_one_device(toy_base, toy_rows, tmp_path):
    """Separate processes are needed, since this one has four devices."""
    values = {
        "model.base": toy_base,
        "task.name": "toy",
        "task.path": toy_rows,
        "task.text": "text",
        "task.label": "label",
        "task.max-length": 16,
        "train.epochs": 5,
        "train.buckets": 16,
        "train.batch-size": 16,
    }
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    found = []
    for devices in (1, 8):
        out = tmp_path / str(devices)
        mesh = ["--mesh.data", str(devices), "--out", str(out)]
        command = [sys.executable, str(ROOT / "train.py"), *words, *mesh]
        environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        found.append([line["loss"] for line in lines if "loss" in line])
    assert len(found[0]) == 3
    assert found[0] == pytest.approx(found[1], abs=1e-5)
