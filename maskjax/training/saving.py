"""From trainables to task files, at the end of a run and at the end of each cycle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from maskjax.adaptation import random_starts
from maskjax.masking import leaves_by_path
from maskjax.models import head_paths
from maskjax.taskfile import make_meta, make_task_file, save_task_file
from maskjax.training.prepare import Experiment
from maskjax.training.reporting import Reporter
from maskjax.training.step import run_keys

SNAPSHOTS = "snapshots"
"""The folder, within that of a run, of what the schedule `restarts` has found."""


def save_trainable(
    experiment: Experiment, trainable: Any, scores: Mapping[str, float], path: Path
) -> int:
    """Saves what a run has learned as a task file.

    Args:
        experiment: The run.
        trainable: What it has learned.
        scores: `{split: score}`.
        path: Of the file.

    Returns:
        Its size in bytes.
    """
    base = leaves_by_path(experiment.base.params)
    kept = experiment.layout.whole(_kept(experiment, trainable))
    start, _ = run_keys(jax.random.key(experiment.config.train.seed))
    starts = random_starts(experiment.config.adaptation, start, kept.get("mask", {}))
    meta = make_meta(experiment.data.task, experiment.base, experiment.config, scores)
    return save_task_file(path, make_task_file(kept, base, meta, starts))


def _kept(experiment: Experiment, trainable: Any) -> dict[str, dict[str, Any]]:
    """The frozen adaptation, with the head's weights even where they were never trained."""
    frozen = experiment.adaptation.freeze(trainable, experiment.params)
    leaves = leaves_by_path(experiment.params)
    head = {path: leaves[path] for path in head_paths(experiment.model)}
    return {**frozen, "weight": head | frozen.get("weight", {})}


class SnapshotSaver(Reporter):
    """Saves the end of each cycle as a task file `snapshots/1.safetensors` and so on.

    Args:
        experiment: The run.
        folder: The run folder.
    """

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        self._experiment = experiment
        self._folder = folder / SNAPSHOTS

    def snapshot(self, number: int, score: float, trainable: Any) -> None:
        """Saves one, with its score on the selection split."""
        self._folder.mkdir(exist_ok=True)
        scores = {self._experiment.data.selection: score}
        path = self._folder / f"{number}.safetensors"
        save_trainable(self._experiment, trainable, scores, path)
