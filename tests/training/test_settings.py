"""Settings mean the same in any folder, and hold the longest rows."""

import json
from pathlib import Path

import pytest

from maskjax.cli.main import main
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig, TrainConfig
from maskjax.inference import load_run
from maskjax.tasks import load_task
from maskjax.training import run
from maskjax.training.validate import resolve_config


def test_local_paths_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    for name in ("base", "earlier", "set"):
        Path(name).mkdir()
    config = Config(
        model=ModelConfig(base="base"),
        task=TaskConfig(name="set"),
        adaptation=AdaptationConfig(masks="earlier", method="head"),
        train=TrainConfig(checkpoints="~/kept"),
    )
    resolved = resolve_config(config)
    assert resolved.model.base == str(tmp_path / "base")
    assert resolved.task.name == str(tmp_path / "set")
    assert resolved.adaptation.masks == str(tmp_path / "earlier")
    assert resolved.train.checkpoints == "/home/ann/kept"
    assert resolve_config(resolved) == resolved
    config = Config(
        model=ModelConfig(base="minilm"),
        task=TaskConfig(name="glue/sst2"),
        train=TrainConfig(checkpoints="gs://bucket/kept"),
    )
    assert resolve_config(config) == config
    assert resolve_config(Config(task=TaskConfig(path="x"))).task.path == str(tmp_path / "x")


@pytest.mark.parametrize(
    ("buckets", "longest", "expected"),
    [
        ((16, 32), 32, (16, 32)),
        ((16, 32), 33, (16, 32, 33)),
        ((16, 32), 200, (16, 32, 64, 128, 200)),
        ((100,), 512, (100, 200, 400, 512)),
    ],
)
def test_buckets_hold_the_longest_rows(buckets, longest, expected):
    config = Config(task=TaskConfig(max_length=longest), train=TrainConfig(buckets=buckets))
    assert resolve_config(config).train.buckets == expected


def test_a_run_is_used_from_another_folder(toy_config, toy_base, toy_rows, tmp_path, monkeypatch):
    """Paths are relative, the run folder is a string, and the buckets are too short."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("base").symlink_to(toy_base)
    Path("rows").symlink_to(toy_rows)
    task = TaskConfig(name="toy", path="rows", max_length=16, train_rows=16)
    config = toy_config(
        model=ModelConfig(base="base"),
        task=task,
        train=TrainConfig(batch_size=16, epochs=1, buckets=(8,)),
    )
    result = run(config, "run")
    assert result.folder == Path("run")
    monkeypatch.chdir(tmp_path / "there")
    assert main(["evaluate", "../here/run", "--output", "scores.json"]) == 0
    predictor = load_run(Path("../here/run"))
    assert predictor.score(predictor.load_rows().splits["dev"]) == result.scores["dev"]
    assert predictor.config.train.buckets == (8, 16)


def test_a_data_set_in_a_local_folder_keeps_its_name(tmp_path):
    folder = tmp_path / "reviews"
    folder.mkdir()
    rows = [{"text": f"text {label}", "label": label} for label in ("good", "bad")]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    config = resolve_config(Config(task=TaskConfig(name=str(folder), subset=None)))
    assert load_task(config.task, offline=True).task.name == "reviews"
