"""Trains a mask and finetunes the same model on the same rows, next to baselines."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from maskjax.config import (
    AdaptationConfig,
    Config,
    Method,
    ModelConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
)
from maskjax.models.config import TaskType
from maskjax.tasks import LoadedTask, load_task
from maskjax.tasks.baselines import baseline_scores
from maskjax.tasks.registry import lookup
from maskjax.training import RunResult, run

RATES: dict[Method, float] = {"mask": 2e-3, "finetune": 1e-4}
"""Learning rates; docs/results-appendix.md has the dev scores of others."""

BATCH_SIZE = 16
ROWS, CHOICE_ROWS = 3000, 2000
"""Training rows; those of kind choice are several texts each."""

BUCKETS = (16, 24, 40, 64, 128, 256)


@dataclass(frozen=True, kw_only=True)
class DemoArguments:
    """Trains a mask and finetunes the same model on the same rows, and compares the two.

    The default tasks need no network, their rows are docstrings of installed packages: which of two
    endings belongs to a beginning, and in which of two sentences are two words swapped? Words alone
    do not answer either.

    Attributes:
        out: A folder that gets one run folder per task and method.
        model: `minilm`, a local folder or a Hub id.
        task: Built-in names or Hub ids.
        train_rows: Training rows per task, drawn at random; by default 2,000 for tasks of kind
            choice, whose rows are several texts, and 3,000 for others.
        eval_rows: Dev and test rows per task, drawn at random.
        epochs: Passes over the training rows.
        max_length: Tokens per text, or per pair of texts.
        seed: Seeds training, and draws the predictions that are shown.
        offline: Never ask the network, use only what is stored locally.
    """

    out: Path = Path("runs/demo")
    model: str = "minilm"
    task: tuple[str, ...] = ("docstrings/ending", "docstrings/order")
    train_rows: int | None = None
    eval_rows: int = 500
    epochs: int = 1
    max_length: int = 40
    seed: int = 0
    offline: bool = False


class Comparison(NamedTuple):
    """The results of one task.

    Attributes:
        task: The name of the task.
        kind: What is predicted.
        metric: The metric of all scores.
        split: The split that scores are from: "test" where there is one, else "dev".
        rows: The number of its rows.
        baselines: Scores by the name of the baseline; empty where there are none.
        mask: The run that learned a mask.
        finetune: The run that changed all weights.
    """

    task: str
    kind: TaskType
    metric: str
    split: str
    rows: int
    baselines: dict[str, float]
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


def compare(given: DemoArguments, task: str, console: Console) -> Comparison:
    """Trains by both methods on one task and scores the baselines.

    Args:
        given: The settings.
        task: A built-in name or a Hub id.
        console: Gets the progress.

    Returns:
        Scores, sizes and folders.

    Raises:
        InputError: If the task or the model cannot be loaded.
    """
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


def demo_config(given: DemoArguments, task: str, method: Method) -> Config:
    """Makes the configuration of one run of the demo."""
    rows = given.train_rows or (CHOICE_ROWS if lookup(task).kind == "choice" else ROWS)
    lengths = tuple(length for length in BUCKETS if length < given.max_length)
    return Config(
        model=ModelConfig(base=given.model, offline=given.offline),
        task=TaskConfig(
            name=task,
            train_rows=rows,
            eval_rows=given.eval_rows,
            max_length=given.max_length,
        ),
        adaptation=AdaptationConfig(method=method),
        optimizer=OptimizerConfig(learning_rate=RATES[method]),
        train=TrainConfig(
            batch_size=BATCH_SIZE,
            epochs=given.epochs,
            eval_every=-(-rows // BATCH_SIZE),
            buckets=(*lengths, given.max_length),
            seed=given.seed,
        ),
    )


def _folder(given: DemoArguments, task: str, method: Method) -> Path:
    return given.out / f"{task.replace('/', '-')}-{method}"


def _baselines(data: LoadedTask) -> dict[str, float]:
    """Scores the baselines where rows can be chosen on one split and scored on another."""
    return baseline_scores(data) if "test" in data.splits else {}
