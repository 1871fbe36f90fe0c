"""From trainables to task files, at the end of a run and at the end of each cycle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from maskjax.adaptation import Delta, random_mask_specs
from maskjax.masking import flatten_with_paths
from maskjax.models import head_paths
from maskjax.taskfile import make_meta, make_task_file, save_task_file
from maskjax.training.experiment import Experiment
from maskjax.training.hooks import Hook, Training
from maskjax.training.step import run_keys

SNAPSHOTS = "snapshots"
"""The folder, within that of a run, of what the schedule `restarts` has found."""


def save_trainable(
    experiment: Experiment, trainable: Any, scores: Mapping[str, float], path: Path
) -> int:
    """Saves what a run has learned as a task file."""
    base = flatten_with_paths(experiment.base.params)
    kept = experiment.layout.replicate(_kept(experiment, trainable))
    start, _ = run_keys(jax.random.key(experiment.config.train.seed))
    specs = random_mask_specs(experiment.config.adaptation, start, kept.masks)
    meta = make_meta(experiment.data.task, experiment.base, experiment.config, scores)
    return save_task_file(path, make_task_file(kept, base, meta, specs))


def _kept(experiment: Experiment, trainable: Any) -> Delta:
    """What was learned, with the head's weights even where they were never trained."""
    leaves = flatten_with_paths(experiment.params)
    head = {path: leaves[path] for path in head_paths(experiment.model)}
    return Delta.of(weights=head) | experiment.adaptation.finalize(trainable, experiment.params)


class SaveSnapshots(Hook):
    """Saves the end of each cycle as a task file `snapshots/1.safetensors` and so on."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def __call__(self, training: Training) -> None:
        """Saves a snapshot of each seed that was scored, with its score."""
        if training.step not in training.cycle_ends:
            return
        number = training.cycle_ends.index(training.step) + 1
        for seed, numbers in enumerate(training.numbers):
            if "score" not in numbers:
                continue
            experiment, folder = training.experiments[seed], self._folders[seed] / SNAPSHOTS
            folder.mkdir(exist_ok=True)
            scores = {experiment.data.selection: numbers["score"]}
            path = folder / f"{number}.safetensors"
            save_trainable(experiment, training.trainable(seed), scores, path)
