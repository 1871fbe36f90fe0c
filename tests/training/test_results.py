"""The files of a run when something fails after its last step."""

import json

import pytest
from rich.console import Console

from maskjax.config import TrainConfig
from maskjax.taskfile import TASK_FILE, load_task_file
from maskjax.training import run
from maskjax.training.experiment import prepare
from maskjax.training.summary import describe


class Failing(Console):
    """A console that fails once scoring is printed, as a closed terminal does."""

    def print(self, *objects, **options):
        if "scoring" in str(objects[0]):
            raise OSError(5, "Input/output error")


def test_run_is_saved_before_its_result_is_printed(toy_config, tmp_path):
    config = toy_config(train=TrainConfig(batch_size=16, epochs=1, buckets=(16,)))
    with pytest.raises(OSError, match="Input/output error"):
        run(config, tmp_path / "run", console=Failing())
    saved = load_task_file(tmp_path / "run" / TASK_FILE)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    best = max(json.loads(line).get("selection", 0) for line in lines)
    assert saved.meta["scores"] == {"dev": best}


@pytest.mark.parametrize(("rate", "warns"), [(1e2, True), (1e3, True), (1e-3, False), (99, False)])
def test_implausible_learning_rates_are_noted(toy_config, rate, warns):
    from dataclasses import replace

    experiment = prepare(toy_config())
    optimizer = replace(experiment.config.optimizer, learning_rate=rate)
    config = replace(experiment.config, optimizer=optimizer)
    lines = describe(experiment._replace(config=config))
    assert any("is far above any rate that learns" in line for line in lines) == warns
