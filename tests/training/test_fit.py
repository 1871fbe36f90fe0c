"""The loop on a task that can be learned in seconds."""

import json

import jax
import numpy as np
import pytest

from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig
from maskjax.training import Evaluator, NotFiniteError, fit, prepare
from maskjax.training.reporting import Recorder, Reporter


class Listener(Reporter):
    def __init__(self):
        self.values, self.messages = [], []

    def metrics(self, step, values):
        self.values.append((step, values))

    def message(self, text):
        self.messages.append(text)


def train(config):
    listener = Listener()
    experiment = prepare(config)
    return experiment, fit(experiment, listener), listener


def test_a_mask_learns_and_the_best_evaluation_is_what_comes_back(toy_config):
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


def test_a_run_is_a_function_of_its_seed(toy_config):
    runs = [
        train(toy_config(train=TrainConfig(batch_size=16, epochs=1, buckets=(16,), seed=seed)))[1]
        for seed in (0, 0, 1)
    ]
    same, again, other = (jax.tree.leaves(run.trainable) for run in runs)
    assert all(np.array_equal(a, b) for a, b in zip(same, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(same, other, strict=True))


def test_one_compile_a_bucket_is_reported_and_none_after_the_first_epoch(toy_config):
    _, result, listener = train(toy_config())
    compiled = [message for message in listener.messages if "compiled" in message]
    assert len(compiled) == 2
    assert result.steps == 12


def test_patience_stops_early(toy_config):
    train_config = TrainConfig(batch_size=16, epochs=50, buckets=(16,), eval_every=1, patience=2)
    optimizer = OptimizerConfig(learning_rate=1e-12, warmup=0.0)
    _, result, listener = train(toy_config(train=train_config, optimizer=optimizer))
    assert result.steps == 3
    assert any("stopped" in message for message in listener.messages)


def test_divergence_names_the_steps_and_the_leaf(toy_config):
    optimizer = OptimizerConfig(name="sgd", learning_rate=1e38, clip=0.0, warmup=0.0)
    config = toy_config(optimizer=optimizer, adaptation=AdaptationConfig(method="finetune"))
    with pytest.raises(NotFiniteError, match=r"between steps \d+ and \d+; .*(weights|head)/"):
        train(config)


def test_the_recorder_writes_json_lines_and_events(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.metrics(3, {"loss": 0.5})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()  # before it is closed
    recorder.close()
    assert json.loads(lines[0])["loss"] == 0.5
    assert list((tmp_path / "tensorboard").iterdir())
