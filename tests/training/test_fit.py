"""The loop on a task that can be learned in seconds."""

import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig
from maskjax.progress import Progress
from maskjax.training import Evaluator, NotFiniteError, fit, prepare
from maskjax.training.hooks import Recorder


@pytest.fixture
def train(listener):
    def trained(config):
        recorded, experiment = listener(), prepare(config)
        return experiment, fit(experiment, [recorded]), recorded

    return trained


def test_mask_learns_and_the_best_evaluation_is_returned(toy_config, train):
    config = toy_config(
        adaptation=AdaptationConfig(blocks=(0, 1), head="trained"),
        optimizer=OptimizerConfig(learning_rate=3e-2, head_learning_rate=1e-2),
        train=TrainConfig(batch_size=16, epochs=15, buckets=(16,)),
    )
    experiment, result, listener = train(config)
    assert result.score > 0.9
    scores = {step: v["score"] for step, v in listener.values if "score" in v}
    assert result.score == max(scores.values())
    assert result.step == min(step for step, score in scores.items() if score == result.score)
    assert Evaluator(experiment)(experiment, result.trainable) == result.score


def test_run_depends_on_its_seed_only(toy_config, train):
    runs = [
        train(toy_config(train=TrainConfig(batch_size=16, epochs=1, buckets=(16,), seed=seed)))[1]
        for seed in (0, 0, 1)
    ]
    same, again, other = (jax.tree.leaves(run.trainable) for run in runs)
    assert all(np.array_equal(a, b) for a, b in zip(same, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(same, other, strict=True))


def test_dropout_is_off_unless_asked_for(toy_config, train):
    def first_loss(**settings):
        train_config = TrainConfig(batch_size=16, epochs=1, buckets=(16,), **settings)
        _, _, listener = train(toy_config(train=train_config))
        return next(values["loss"] for _, values in listener.values if "loss" in values)

    # The toy checkpoint itself has rates of zero.
    assert first_loss() == first_loss(dropout=None) != first_loss(dropout=0.5)


def test_each_bucket_compiles_once(toy_config, train):
    _, result, listener = train(toy_config())
    assert listener.compiled == 2
    assert result.steps == 12


def test_patience_stops_early(toy_config, train):
    train_config = TrainConfig(batch_size=16, epochs=50, buckets=(16,), eval_every=1, patience=2)
    optimizer = OptimizerConfig(learning_rate=1e-12, warmup=0.0)
    output = io.StringIO()
    with Progress(Console(file=output)):
        _, result, _ = train(toy_config(train=train_config, optimizer=optimizer))
    assert result.steps == 3
    assert "no better score in 2 evaluations: stopped" in output.getvalue()


def test_divergence_names_the_steps_and_the_leaf(toy_config, train):
    optimizer = OptimizerConfig(name="sgd", learning_rate=1e38, clip=0.0, warmup=0.0)
    config = toy_config(optimizer=optimizer, adaptation=AdaptationConfig(method="finetune"))
    with pytest.raises(NotFiniteError, match=r"between steps \d+ and \d+; .*(weights|head)/"):
        train(config)


def test_nan_scores_stop_the_run(toy_config):
    """Comparing NaN with the threshold would drop the weight and keep the loss finite."""
    experiment = prepare(toy_config())

    def init(key, params):
        trainable = experiment.adaptation.init(key, params)
        path = "pooler/dense/kernel"
        return trainable | {
            "scores": trainable["scores"] | {path: trainable["scores"][path].at[2, 3].set(jnp.nan)}
        }

    broken = experiment._replace(adaptation=experiment.adaptation._replace(init=init))
    with pytest.raises(NotFiniteError, match=r"between steps 1 and 10; .* not finite"):
        fit(broken)


@pytest.mark.parametrize("target", [0.6, None])
def test_sparsity_follows_its_target(toy_config, train, target):
    config = toy_config(
        adaptation=AdaptationConfig(
            blocks=(1, 1), target_sparsity=target, sparsity_schedule="cubic"
        ),
        optimizer=OptimizerConfig(
            learning_rate=1e-2, schedule="constant", warmup=0.0, multiplier_learning_rate=50.0
        ),
        train=TrainConfig(batch_size=48, epochs=20, buckets=(16,), eval_every=10),
    )
    _, _, recorded = train(config)
    sparsity = recorded.of("sparsity")[40]
    if target is None:
        assert sparsity < 0.4
        assert not recorded.of("multiplier")
    else:
        assert sparsity == pytest.approx(target, abs=0.1)
        assert recorded.of("target_sparsity")[40] == pytest.approx(0.6)
        assert 0 < recorded.of("target_sparsity")[10] < 0.6
        assert recorded.of("multiplier")[40] > recorded.of("multiplier")[10] > 0
    assert all(0 <= recorded.of("input_wait")[step] < 1 for step in (10, 40))
    # Every weight is kept at first, so what has flipped is what is dropped.
    assert recorded.of("mask_flips_initial")[40] == pytest.approx(sparsity, abs=1e-6)
    assert recorded.of("mask_iou_initial")[40] == pytest.approx(1 - sparsity, abs=1e-6)
    assert recorded.of("mask_flips_previous")[10] == recorded.of("mask_flips_initial")[10]
    assert recorded.of("mask_flips_previous")[40] < recorded.of("mask_flips_initial")[40]


def test_the_recorder_writes_json_lines_and_events(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.open(0)
    recorder.write(3, {"loss": 0.5})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()  # before it is closed
    recorder.close()
    assert json.loads(lines[0])["loss"] == 0.5
    assert list((tmp_path / "tensorboard").iterdir())
