"""A whole run: what its folder holds, and that it predicts what it scored."""

import dataclasses
import json
import statistics

import jax
import numpy as np
import pytest
from safetensors import safe_open

from maskjax.config import (
    AdaptationConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
    load_config,
)
from maskjax.errors import InputError
from maskjax.inference import load_predictor, load_run, score_logits
from maskjax.taskfile import load_task_file
from maskjax.tasks import encode, load_task
from maskjax.training import run, run_seeds

METHODS = [
    AdaptationConfig(),
    AdaptationConfig(initializer="ones"),
    AdaptationConfig(head="both", binarizer="bernoulli", initializer="uniform"),
    AdaptationConfig(granularity="head"),
    AdaptationConfig(method="finetune"),
    AdaptationConfig(method="lora"),
    AdaptationConfig(method="bitfit"),
    AdaptationConfig(method="head"),
]


@pytest.mark.parametrize("adaptation", METHODS, ids=lambda a: f"{a.method}-{a.head}")
def test_a_saved_run_scores_what_it_scored_in_training(toy_config, tmp_path, adaptation):
    config = toy_config(
        adaptation=adaptation, train=TrainConfig(batch_size=16, epochs=1, buckets=(16,))
    )
    result = run(config, tmp_path / "run")
    predictor = load_run(tmp_path / "run")
    data = load_task(config.task)
    for split, score in result.scores.items():
        encoded = encode(data.splits[split], predictor.tokenizer, config.task.max_length)
        logits = predictor.logits(encoded)
        assert score_logits(predictor.task, logits, encoded.labels) == pytest.approx(score)


def test_run_folder_holds_nothing_of_the_base(toy_config, tmp_path):
    config = toy_config()
    result = run(config, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "config.json",
        "metrics.jsonl",
        "tensorboard",
        "task.safetensors",
        "result.json",
    }
    assert load_config(tmp_path / "run" / "config.json") == config
    with safe_open(tmp_path / "run" / "task.safetensors", framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert tensors.keys() == {"masks", "weight/classifier/bias", "weight/classifier/kernel"}
    assert tensors["masks"].dtype == np.uint8
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored["scores"] == result.scores
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    names = set().union(*(json.loads(line) for line in lines))
    assert {"loss", "learning_rate", "examples_per_second", "sparsity", "score"} <= names


def test_a_folder_with_a_run_is_refused_and_left_as_it_is(toy_config, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"train.epochs: 3 there, 2 now\); choose another"):
        run(toy_config(), tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match="already holds a run"):
        run(toy_config(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "result.json"}


def test_input_errors_are_raised_before_a_folder_is_made(toy_config, toy_rows, tmp_path):
    task = TaskConfig(name="toy", path=str(toy_rows), text=("text",), label="label")
    with pytest.raises(InputError, match="at most 32 tokens"):
        run(toy_config(task=task), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_labels_that_no_task_file_holds_are_refused_before_training(toy_config, tmp_path):
    config = toy_config()
    labels = ("no", "yes " * 400)
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, labels=labels))
    table = tmp_path / "rows"
    table.mkdir()
    for split in ("train", "dev"):
        lines = "".join(f"good film\t{label}\n" for label in labels)
        (table / f"{split}.tsv").write_text(f"text\tlabel\n{lines}")
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, path=str(table)))
    with pytest.raises(InputError, match=r"task file of this run: .*task.labels\[1\]"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_regression_learns_a_number(toy_base, toy_config, tmp_path):
    rows = ["text\tlabel"] + [f"{'good ' * n}film\t{n}.5" for n in range(1, 9)] * 4
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(rows) + "\n")
    task = TaskConfig(
        name="toy",
        path=str(tmp_path),
        text=("text",),
        label="label",
        kind="regression",
        max_length=16,
    )
    config = toy_config(task=task, train=TrainConfig(batch_size=8, epochs=8, buckets=(16,)))
    result = run(config, tmp_path / "run")
    assert result.scores["dev"] > 0.5
    predictor = load_predictor(tmp_path / "run")
    few, many = predictor.logits([f"{'good ' * n}film" for n in (1, 8)])
    assert few < many


def test_seeds_fill_a_folder_each_and_equal_single_runs(toy_config, tmp_path):
    """Batches have two lengths, and each of two cycles ends with a snapshot."""
    config = toy_config(
        optimizer=OptimizerConfig(learning_rate=1e-2, schedule="restarts", cycles=2, warmup=0.0),
        train=TrainConfig(
            batch_size=16, epochs=1, buckets=(8, 16), seed=3, seeds=2, seed_loop="map"
        ),
    )
    result = run_seeds(config, tmp_path / "all")
    assert [some.folder.name for some in result.runs] == ["seed-3", "seed-4"]
    assert load_config(tmp_path / "all" / "config.json") == config
    alone = run(load_config(tmp_path / "all" / "seed-4" / "config.json"), tmp_path / "alone")
    assert result.runs[1].scores == pytest.approx(alone.scores, abs=1e-4)
    names = ("task.safetensors", "snapshots/1.safetensors", "snapshots/2.safetensors")
    for name in names:
        here, there = (load_task_file(tmp_path / run / name) for run in ("all/seed-4", "alone"))
        jax.tree.map(np.testing.assert_array_equal, here.delta.masks, there.delta.masks)
        assert here.meta["scores"]["dev"] == pytest.approx(there.meta["scores"]["dev"])
    assert {path.name for path in (tmp_path / "alone").rglob("*.safetensors")} == {
        "task.safetensors", "1.safetensors", "2.safetensors",
    }  # fmt: skip
    stored = json.loads((tmp_path / "all" / "result.json").read_text())
    scores = [some.scores["dev"] for some in result.runs]
    assert stored["runs"] == {some.folder.name: some.scores for some in result.runs}
    assert stored["mean"]["dev"] == pytest.approx(statistics.mean(scores))
    assert stored["std"]["dev"] == pytest.approx(statistics.stdev(scores))
    with pytest.raises(InputError, match="already holds a run"):
        run_seeds(config, tmp_path / "all")
    with pytest.raises(ValueError, match="got 2; use run_seeds"):
        run(config, tmp_path / "other")
