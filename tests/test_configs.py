"""The experiments of configs/, and the words that select one from a table."""

import json
import re
from pathlib import Path

import pytest

from maskjax.cli.main import main
from maskjax.config import (
    AdaptationConfig,
    Config,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
    config_from_dict,
    config_to_dict,
    known_settings,
    load_config,
)
from maskjax.config.packaged import packaged_configs
from maskjax.errors import InputError

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "configs" / "tasks.py"
PAPER = ("mrpc", "sst2", "cola", "rte", "qnli", "semeval", "trec", "ag", "pos", "ner", "swag")


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.py")), ids=lambda p: p.stem)
def test_every_config_loads_and_says_how_to_run_it(config):
    assert isinstance(load_config(config), Config)
    assert f"python train.py --config configs/{config.name}" in config.read_text()


@pytest.mark.parametrize("encoder", ["bert", "roberta", "distilbert"])
def test_paper_configs_have_the_settings_of_the_paper(encoder):
    configs = [load_config(f"{TABLE}:{task},{encoder},paper") for task in PAPER]
    assert len({config.task.name for config in configs}) == 11
    assert all(encoder in config.model.base.lower() for config in configs)
    for task, config in zip(PAPER, configs, strict=True):
        assert config.adaptation.sparsity == 0.05
        assert config.adaptation.head == "masked"
        assert config.train.batch_size == (128 if task in ("qnli", "ag") else 32)


def test_words_of_a_config_can_be_in_any_order():
    assert load_config(f"{TABLE}:mrpc,small,lora") == load_config(f"{TABLE}:mrpc,lora,small")
    assert load_config(f"{TABLE}:mrpc,small").model.base == "minilm"


def test_wrong_word_error_suggests_near_words():
    with pytest.raises(InputError, match=r"tasks.py: .*got 'robertta'; did you mean roberta"):
        load_config(f"{TABLE}:mrpc,robertta")


def test_a_name_loads_what_its_file_loads():
    assert packaged_configs().keys() == {path.stem for path in (ROOT / "configs").glob("*.py")}
    assert load_config("tasks") == load_config(TABLE)
    assert load_config("tasks:mrpc,roberta") == load_config(f"{TABLE}:mrpc,roberta")
    assert load_config("docstrings") == load_config(ROOT / "configs" / "docstrings.py")


def test_a_path_wins_over_a_packaged_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "from maskjax.config import Config, TaskConfig\n\ndef get_config(name='mine'):\n"
    (tmp_path / "tasks.py").write_text(f"{code}    return Config(task=TaskConfig(name=name))\n")
    assert load_config("tasks.py").task.name == "mine"
    assert load_config("tasks.py:other").task.name == "other"
    assert load_config("./tasks.py").task.name == "mine"
    assert load_config("tasks:rte").task.name == "glue/rte"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("task:sst2", r"'task': no packaged .* ends in \.py or \.json; did you mean tasks\?"),
        ("", "no packaged .* known: docstrings, tasks"),
        ("tasks:", "'tasks:': expected words after the colon"),
        ("tasks:mrpc,robertta", "^tasks: expected .* got 'robertta'"),
        ("docstrings:mrpc", "^docstrings: TypeError"),
        ("configs/tasks.py:sst2", "configs/tasks.py: no such .* needs no path: --config tasks"),
        ("folder/mine", "folder/mine: no such configuration; there is no .py file in folder"),
    ],
)
def test_wrong_name_is_a_one_line_error_with_a_remedy(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as error:
        load_config(name)
    assert "\n" not in str(error.value)


def test_train_and_sweeps_take_a_packaged_name(capsys):
    for words in (["train"], ["analyze", "layers"]):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--config", "tasks:mrpc,roberta", "--help"])
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert "--config NAME|FILE" in out
        assert "roberta-base" in out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": ""}, "task.name: expected 1 to 1,000 characters, got "),
        ({"name": "x" * 1001}, "task.name: expected 1 to 1,000 characters"),
        ({"max_length": 2}, "task.max_length: expected at least 3 tokens, got 2"),
        ({"holdout": 1.0}, "task.holdout: expected a share in"),
        ({"text": ("a", "b", "c")}, "task.text: expected one or two columns"),
    ],
)
def test_settings_of_a_task_are_checked_before_any_work(settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        TaskConfig(**settings)


OLD_NAMES = {
    "adaptation": {"start": "uniform", "kinds": ["query"], "head": "masked"},
    "optimizer": {"pull": 0.1},
    "train": {"lanes": "map", "seeds": 2},
}
NEW_NAMES = Config(
    adaptation=AdaptationConfig(initializer="uniform", matrix_types=("query",), head="masked"),
    optimizer=OptimizerConfig(score_decay=0.1),
    train=TrainConfig(seed_loop="map", seeds=2),
)


def test_files_with_earlier_names_are_read(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(OLD_NAMES))
    assert load_config(file) == NEW_NAMES
    from_task_file = {**OLD_NAMES, "adaptation": {**OLD_NAMES["adaptation"], "of_later": 1}}
    assert config_from_dict(known_settings(from_task_file)) == NEW_NAMES


def test_a_setting_under_both_names_is_refused():
    both = config_to_dict(NEW_NAMES)
    both["optimizer"]["pull"] = 0.2
    with pytest.raises(InputError, match=r"config.optimizer: unknown setting 'pull'"):
        config_from_dict(both)
    assert known_settings(both) == config_to_dict(NEW_NAMES)
