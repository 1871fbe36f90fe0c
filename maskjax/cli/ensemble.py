"""`maskjax ensemble`: runs of one task, seeds or snapshots, scored alone and together."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from maskjax.cli.common import show_notes, wanted_splits
from maskjax.cli.show import show_progress
from maskjax.errors import InputError
from maskjax.options import Offline

if TYPE_CHECKING:
    from maskjax.inference import SavedRun
    from maskjax.tasks import LoadedTask, Task

    Logits = Mapping[str, np.ndarray]
    """`[units, outputs]` of each split."""


def ensemble(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    by: Literal["logits", "probabilities", "vote"] = "logits",
    split: str | None = None,
    base: str | None = None,
    allow_base_mismatch: bool = False,
    offline: Offline = False,
) -> None:
    """Scores runs of one task alone and as an ensemble.

    Args:
        runs: Run folders or task files, or folders of them: the folder of several seeds, or
            RUN/snapshots.
        by: What is put together. Where classes have equally many votes, that with the highest
            mean probability wins.
        split: Only this split; by default all but the training rows.
        base: Another place of the same base model.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit.
    """
    from maskjax.analysis.runs import task_paths
    from maskjax.inference import combine_logits, load_run
    from maskjax.models import load_base

    paths = task_paths(runs)
    if len(paths) < 2:
        raise InputError(f"expected at least two runs, got {len(paths)}.")
    options = {"base": base, "allow_base_mismatch": allow_base_mismatch, "offline": offline}
    load = cache(load_base)  # the runs share one base
    with show_progress():
        first = load_run(paths[0], **options, load=load)
        data = first.load_rows()
        _check_by(by, data.task)
        splits = wanted_splits(data, split)
        members = [_logits(first, data, splits)]
        for path in paths[1:]:
            saved = load_run(path, **options, load=load)
            _check_task(path, saved.task, paths[0], first.task)
            members.append(_logits(saved, data, splits))
    show_notes(data)
    together = {name: combine_logits([member[name] for member in members], by) for name in splits}
    table = Table("run", *splits, title=f"{data.task.name}: {data.task.metric}")
    for path, member in zip(paths, members, strict=True):
        table.add_row(str(path), *_scores(data, member))
    table.add_section()
    table.add_row(f"ensemble by {by}", *_scores(data, together))
    Console().print(table)


def _logits(saved: "SavedRun", data: "LoadedTask", splits: Sequence[str]) -> "Logits":
    return {name: saved.logits(saved.encode(data.splits[name])) for name in splits}


def _scores(data: "LoadedTask", logits: "Logits") -> list[str]:
    from maskjax.inference import score_logits

    scores = []
    for name, split_logits in logits.items():
        split = data.splits[name]
        scores.append(score_logits(data.task, split_logits, split.labels, split.sizes))
    return [f"{score:.4f}" for score in scores]


def _check_by(by: str, task: "Task") -> None:
    if task.kind == "regression" and by != "logits":
        raise InputError(
            f"--by: {task.name} predicts numbers, which have no {by}; use --by logits."
        )


def _check_task(run: Path, task: "Task", first_run: Path, first: "Task") -> None:
    if (task.kind, task.labels) != (first.kind, first.labels):
        raise InputError(
            f"{run}: expected the labels of {first_run} ({', '.join(first.labels)}), got "
            f"{', '.join(task.labels)}; members of an ensemble are of one task."
        )
