"""The experiments of configs/, and the words that choose one out of a table."""

from pathlib import Path

import pytest

from maskjax.config import Config, load_config
from maskjax.errors import InputError

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "configs" / "tasks.py"
PAPER = ("mrpc", "sst2", "cola", "rte", "qnli", "semeval", "trec", "ag", "pos", "ner", "swag")


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.py")), ids=lambda p: p.stem)
def test_every_config_loads_and_says_how_to_run_it(config):
    assert isinstance(load_config(config), Config)
    assert f"python train.py --config configs/{config.name}" in config.read_text()


@pytest.mark.parametrize("encoder", ["bert", "roberta", "distilbert"])
def test_the_papers_settings(encoder):
    configs = [load_config(f"{TABLE}:{task},{encoder},paper") for task in PAPER]
    assert len({config.task.name for config in configs}) == 11
    assert all(encoder in config.model.base.lower() for config in configs)
    for task, config in zip(PAPER, configs, strict=True):
        assert config.adaptation.sparsity == 0.05
        assert config.adaptation.head == "masked"
        assert config.train.batch_size == (128 if task in ("qnli", "ag") else 32)


def test_words_come_in_any_order():
    assert load_config(f"{TABLE}:mrpc,small,lora") == load_config(f"{TABLE}:mrpc,lora,small")
    assert load_config(f"{TABLE}:mrpc,small").model.base == "minilm"


def test_a_wrong_word_is_named_with_its_neighbours():
    with pytest.raises(InputError, match=r"tasks.py: .*got 'robertta'; did you mean roberta"):
        load_config(f"{TABLE}:mrpc,robertta")
