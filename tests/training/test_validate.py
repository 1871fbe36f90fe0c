"""Settings that do not fit each other, the base or the rows are refused before any work."""

from dataclasses import replace

import pytest

from maskjax.config import AdaptationConfig, ModelConfig
from maskjax.errors import InputError
from maskjax.training import experiment, prepare

TARGET = {"target_sparsity": 0.5}


@pytest.fixture
def refuse(toy_config, toy_base, monkeypatch):
    """Prepares a run of which nothing may be tokenized."""

    def tokenize(*_: object) -> None:
        raise AssertionError("rows were tokenized")

    monkeypatch.setattr(experiment, "encode_cached", tokenize)

    def refuse(message, adaptation=None, task=None, **model):
        config = toy_config(
            adaptation=AdaptationConfig(**(adaptation or {})),
            model=ModelConfig(base=str(toy_base), **model),
        )
        if task:
            config = toy_config(task=task(config.task))
        with pytest.raises(InputError, match=message):
            prepare(config)

    return refuse


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "finetune"}, r"target_sparsity: finetune has no masks; .*--adaptation.method"),
        ({"binarizer": "top_k"}, r"target_sparsity: top_k keeps .*--adaptation.sparsity"),
    ],
)
def test_a_target_needs_masks_of_free_sparsity(settings, message, refuse):
    refuse(message, TARGET | {"initializer": "uniform"} | settings)


def test_finetuning_has_no_frozen_matrices(refuse):
    message = r"model\.frozen_dtype: finetuning freezes nothing .* bfloat16"
    refuse(message, {"method": "finetune"}, frozen_dtype="bfloat16")


def test_rows_are_no_longer_than_positions(refuse):
    refuse(
        r"task\.max_length: expected at most 32 tokens, .* got 33; set --task.max-length 32,",
        task=lambda t: replace(t, max_length=33),
    )
