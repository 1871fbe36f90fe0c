"""How `maskjax train` calls the library."""

import pytest

from maskjax import training
from maskjax.cli.main import main


@pytest.mark.parametrize(
    ("words", "seeds", "runner"),
    [
        ([], 1, "run"),
        (["--seeds", "3"], 3, "run_seeds"),
        (["--train.seeds", "2"], 2, "run_seeds"),
    ],
)
def test_seeds_option_has_a_short_name(monkeypatch, words, seeds, runner):
    calls = []
    for name in ("run", "run_seeds"):
        monkeypatch.setattr(
            training, name, lambda config, *_, name=name, **__: calls.append((name, config))
        )
    assert main(["train", *words]) == 0
    ((name, config),) = calls
    assert (name, config.train.seeds) == (runner, seeds)


@pytest.mark.parametrize(
    ("words", "offline"), [([], False), (["--offline"], True), (["--model.offline"], True)]
)
def test_offline_option_has_a_short_name(monkeypatch, words, offline):
    """The base, the rows and the masks of an earlier run all use `model.offline`."""
    calls = []
    monkeypatch.setattr(training, "run", lambda config, *_, **__: calls.append(config))
    assert main(["train", *words]) == 0
    assert calls[0].model.offline is offline
