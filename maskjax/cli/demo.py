"""`maskjax demo`: masking against finetuning of a real pretrained BERT, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

from maskjax.config import (
    AdaptationConfig,
    Config,
    Method,
    ModelConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
)
from maskjax.errors import InputError
from maskjax.inference import load_predictor
from maskjax.tasks import LoadedTask, load_task
from maskjax.training import run

RATES: dict[Method, float] = {"mask": 2e-3, "finetune": 2e-4}
"""Learning rates that the dev rows of the docstring tasks prefer in so few steps."""
SHOWN = 4
"""Predictions shown of each task."""


@dataclass(frozen=True, kw_only=True)
class DemoArguments:
    """Trains a mask and finetunes the same model on the same rows, and compares the two.

    The default tasks need no network: they ask of the docstrings of installed packages which
    library a sentence is from, and whether it is about a class, a function or a method.

    Attributes:
        out: A folder that gets one run folder a task and method.
        model: `minilm`, a local folder or a Hub id.
        task: Built-in names or Hub ids.
        train_rows: Training rows a task, drawn at random.
        epochs: Passes over them.
        max_length: Tokens per text.
        offline: Never ask the network, use only what is stored locally.
    """

    out: Path = Path("runs/demo")
    model: str = "minilm"
    task: tuple[str, ...] = ("docstrings/library", "docstrings/kind")
    train_rows: int = 4000
    epochs: int = 2
    max_length: int = 32
    offline: bool = False


class Row(NamedTuple):
    """A line of the table."""

    task: str
    method: str
    score: float
    task_bytes: int | None
    seconds: float | None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax demo`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If a task or the model cannot be loaded, or the demo is there already.
    """
    given = tyro.cli(DemoArguments, args=arguments, prog="maskjax demo")
    console = Console()
    if given.out.exists():
        raise InputError(f"{given.out}: already exists; choose another --out, or delete it.")
    rows: list[Row] = []
    for task in given.task:
        rows += _compare(given, task, console)
    console.print(_table(rows))
    for task in given.task:
        _show_predictions(given, task, console)
    return 0


def _compare(given: DemoArguments, task: str, console: Console) -> list[Row]:
    rows = [] if not task.startswith("docstrings/") else [_tfidf(given, task)]
    for method in RATES:
        config = _config(given, task, method)
        result = run(config, _folder(given, task, method), console=console)
        score = result.scores.get("test", result.scores["dev"])
        rows.append(Row(task, method, score, result.task_bytes, result.seconds))
    return rows


def _config(given: DemoArguments, task: str, method: Method) -> Config:
    lengths = tuple(n for n in (16, 32, 64, 128, 256) if n < given.max_length)
    return Config(
        model=ModelConfig(base=given.model, offline=given.offline),
        task=TaskConfig(name=task, train_rows=given.train_rows, max_length=given.max_length),
        adaptation=AdaptationConfig(method=method),
        optimizer=OptimizerConfig(learning_rate=RATES[method]),
        train=TrainConfig(epochs=given.epochs, buckets=(*lengths, given.max_length)),
    )


def _folder(given: DemoArguments, task: str, method: Method) -> Path:
    return given.out / f"{task.replace('/', '-')}-{method}"


def _tfidf(given: DemoArguments, task: str) -> Row:
    """The bag of words, on the rows that the masks are trained on."""
    from maskjax.tasks.baseline import tfidf_baseline

    splits = load_task(_config(given, task, "mask").task, offline=given.offline).splits
    frames = {
        name: pd.DataFrame({"text": [text for (text,) in split.texts], "label": split.labels})
        for name, split in splits.items()
    }
    return Row(task, "tf-idf + logistic regression", tfidf_baseline(frames), None, None)


def _table(rows: list[Row]) -> Table:
    table = Table("task", "method", "score", "bytes per task", "seconds")
    for row in rows:
        size = "" if row.task_bytes is None else f"{row.task_bytes:,}"
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        table.add_row(row.task, row.method, f"{100 * row.score:.1f}", size, seconds)
    return table


def _show_predictions(given: DemoArguments, task: str, console: Console) -> None:
    predictor = load_predictor(_folder(given, task, "mask"))
    data = load_task(predictor.config.task, offline=given.offline)
    texts, truths = _examples(data)
    table = Table("text", "masked model says", "truth", title=task)
    for text, prediction, truth in zip(texts, predictor(texts), truths, strict=True):
        table.add_row(" | ".join(text), f"{prediction.label} ({prediction.score:.2f})", truth)
    console.print(table)


def _examples(data: LoadedTask) -> tuple[list[tuple[str, ...]], list[str]]:
    split = data.splits.get("test") or data.splits["dev"]
    labels = split.labels[:SHOWN]
    names = data.task.labels
    truths = [names[int(label)] if names else f"{label:.2f}" for label in labels]
    return split.texts[:SHOWN], truths
