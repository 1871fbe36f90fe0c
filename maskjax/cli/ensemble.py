"""`maskjax ensemble`: runs of one task, seeds or snapshots, scored alone and together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from maskjax.cli.find import task_paths
from maskjax.cli.saved import wanted_splits
from maskjax.cli.show import show_progress
from maskjax.errors import InputError
from maskjax.inference import By, TaskPredictor, combine_logits, load_predictor, score_logits
from maskjax.models import load_base
from maskjax.tasks import LoadedTask, Task

Logits = dict[str, np.ndarray]
"""`[units, outputs]` of each split."""


@dataclass(frozen=True, kw_only=True)
class EnsembleArguments:
    """Scores runs of one task alone and as an ensemble.

    Attributes:
        runs: Run folders or task files, or folders of them: the folder of several seeds, or
            RUN/snapshots.
        by: What is put together. Where classes have equally many votes, that with the highest
            mean probability wins.
        split: Only this split; by default all but the training rows.
        base: Another place of the same base model.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
        offline: Never ask the network, use only what is stored locally.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    by: By = "logits"
    split: str | None = None
    base: str | None = None
    allow_base_mismatch: bool = False
    offline: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax ensemble`."""
    given = tyro.cli(EnsembleArguments, args=arguments, prog="maskjax ensemble")
    given = replace(given, runs=tuple(task_paths(given.runs)))
    if len(given.runs) < 2:
        raise InputError(f"expected at least two runs, got {len(given.runs)}.")
    with show_progress():
        data, members = _run(given)
    splits = wanted_splits(data, given.split)
    together = {
        name: combine_logits([member[name] for member in members], given.by) for name in splits
    }
    table = Table("run", *splits, title=f"{data.task.name}: {data.task.metric}")
    for run, member in zip(given.runs, members, strict=True):
        table.add_row(str(run), *_scores(data, member))
    table.add_section()
    table.add_row(f"ensemble by {given.by}", *_scores(data, together))
    Console().print(table)
    return 0


def _run(given: EnsembleArguments) -> tuple[LoadedTask, list[Logits]]:
    """The rows, and what each member says of them."""
    predictors = _load(given)
    first = next(predictors)
    data = first.load_rows()
    _check_by(given, data.task)
    splits = wanted_splits(data, given.split)
    members = [_logits(first, data, splits)]
    for run, predictor in zip(given.runs[1:], predictors, strict=True):
        _check_task(run, predictor.task, given.runs[0], first.task)
        members.append(_logits(predictor, data, splits))
    return data, members


def _load(given: EnsembleArguments) -> Iterator[TaskPredictor]:
    """One member after the other, on one base where they share it."""
    load = cache(load_base)
    for run in given.runs:
        yield load_predictor(
            run,
            base=given.base,
            allow_base_mismatch=given.allow_base_mismatch,
            offline=given.offline,
            load=load,
        )


def _logits(predictor: TaskPredictor, data: LoadedTask, splits: Sequence[str]) -> Logits:
    return {name: predictor.logits(predictor.encode(data.splits[name])) for name in splits}


def _scores(data: LoadedTask, logits: Logits) -> list[str]:
    scores = []
    for name, found in logits.items():
        split = data.splits[name]
        scores.append(score_logits(data.task, found, split.labels, split.sizes))
    return [f"{score:.4f}" for score in scores]


def _check_by(given: EnsembleArguments, task: Task) -> None:
    if task.kind == "regression" and given.by != "logits":
        raise InputError(
            f"--by: {task.name} predicts numbers, which have no {given.by}; use --by logits."
        )


def _check_task(run: Path, task: Task, first_run: Path, first: Task) -> None:
    if (task.kind, task.labels) != (first.kind, first.labels):
        raise InputError(
            f"{run}: expected the labels of {first_run} ({', '.join(first.labels)}), got "
            f"{', '.join(task.labels)}; members of an ensemble are of one task."
        )
