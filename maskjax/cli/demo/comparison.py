"""Trains a mask and finetunes the same model on the same rows, next to baselines."""

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from maskjax.cli.demo.settings import RATES, DemoSettings, demo_config
from maskjax.config import Method
from maskjax.models.config import TaskType
from maskjax.tasks import LoadedTask, load_task
from maskjax.tasks.baselines import baseline_scores
from maskjax.training import RunResult, run


class Comparison(NamedTuple):
    """The results of one task."""

    task: str
    kind: TaskType
    metric: str
    split: str  # where scores are from: "test" where there is one, else "dev"
    rows: int  # of this split
    baselines: dict[str, float]  # scores by name
    mask: RunResult
    finetune: RunResult

    @property
    def mask_score(self) -> float:
        """The score of the mask."""
        return self.mask.scores[self.split]

    @property
    def finetune_score(self) -> float:
        """The score of the finetuned copy."""
        return self.finetune.scores[self.split]


def compare(given: DemoSettings, task: str, console: Console) -> Comparison:
    """Trains by both methods on one task and scores the baselines."""
    data = load_task(demo_config(given, task, "mask").task, offline=given.offline)
    split = "test" if "test" in data.splits else data.selection
    baselines = _baselines(data)
    mask, finetune = (
        run(demo_config(given, task, method), _folder(given, task, method), console=console)
        for method in RATES
    )
    rows = len(data.splits[split].texts)
    return Comparison(
        task, data.task.kind, data.task.metric, split, rows, baselines, mask, finetune
    )


def _folder(given: DemoSettings, task: str, method: Method) -> Path:
    return given.out / f"{task.replace('/', '-')}-{method}"


def _baselines(data: LoadedTask) -> dict[str, float]:
    """Scores the baselines where rows can be chosen on one split and scored on another."""
    return baseline_scores(data) if "test" in data.splits else {}
