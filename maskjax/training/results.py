"""What is left of a run: task files, the scores of every split, and a line about them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from maskjax.adaptation import Delta, random_mask_specs
from maskjax.masking import flatten_with_paths
from maskjax.models import head_paths
from maskjax.progress import announced
from maskjax.taskfile import (
    TASK_FILE,
    make_meta,
    make_task_file,
    save_task_file,
    write_atomically,
)
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment
from maskjax.training.fit import FitResult
from maskjax.training.hooks import Hook, Training
from maskjax.training.run_dir import RESULT_FILE
from maskjax.training.sparsity_penalty import measure_sparsity
from maskjax.training.step import run_keys

SNAPSHOTS = "snapshots"
"""The folder, within that of a run, of what the schedule `restarts` has found."""


class RunResult(NamedTuple):
    """The outcome of a run.

    Attributes:
        folder: Where it is saved.
        scores: `{split: score}` of the best trainable.
        step: The step that it is from.
        task_bytes: Size of the task file.
        seconds: Training time, evaluations and compiling included; of all seeds together.
        sparsity: Fraction of zeros of all masks; None without masks.
    """

    folder: Path
    scores: dict[str, float]
    step: int
    task_bytes: int
    seconds: float
    sparsity: float | None


class SeedsResult(NamedTuple):
    """The outcome of several seeds.

    Attributes:
        folder: Where they are saved.
        runs: The outcome of each.
        mean: `{split: mean score}`.
        std: `{split: standard deviation}` of the scores as a sample, with N − 1 below.
        seconds: Training time of all together, evaluations and compiling included.
    """

    folder: Path
    runs: tuple[RunResult, ...]
    mean: dict[str, float]
    std: dict[str, float]
    seconds: float


def finish_run(
    experiment: Experiment, best: FitResult, evaluate: Evaluator, folder: Path
) -> RunResult:
    """Scores the best step on every split, and writes the task file and, last, the result."""
    splits = [name for name in experiment.encoded if name != "train"]
    scores = {experiment.data.selection: best.score} if np.isfinite(best.score) else {}
    try:
        with announced(f"scoring the best step, {best.step}, on {' and '.join(splits)}"):
            scores |= {name: evaluate(experiment, best.trainable, name) for name in splits}
    finally:  # what was learned is kept, whatever fails while it is scored and talked about
        size = save_trainable(experiment, best.trainable, scores, folder / TASK_FILE)
    measured = jax.jit(measure_sparsity(experiment.adaptation))(best.trainable, experiment.params)
    zeros = float(measured["sparsity"]) if measured else None
    result = RunResult(folder, scores, best.step, size, best.seconds, zeros)
    write_atomically(folder / RESULT_FILE, to_json(result._asdict()))
    return result


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


def combine_seeds(folder: Path, runs: Sequence[RunResult]) -> SeedsResult:
    """Means and standard deviations over the seeds."""
    scores = {split: [run.scores[split] for run in runs] for split in runs[0].scores}
    mean = {split: float(np.mean(values)) for split, values in scores.items()}
    std = {s: float(np.std(values, ddof=min(1, len(runs) - 1))) for s, values in scores.items()}
    return SeedsResult(folder, tuple(runs), mean, std, runs[0].seconds)


def scores_by_run(runs: Sequence[RunResult]) -> dict[str, dict[str, float]]:
    """The scores of each run by the name of its folder."""
    return {run.folder.name: run.scores for run in runs}


def to_json(values: Mapping[str, object]) -> bytes:
    """JSON in UTF-8; paths become text."""
    return json.dumps(values, default=str).encode()


def summarize(result: RunResult, experiment: Experiment) -> str:
    """One line about a finished run."""
    metric = experiment.data.task.metric
    scores = ", ".join(f"{split} {metric} {score:.4f}" for split, score in result.scores.items())
    zeros = "" if result.sparsity is None else f", {result.sparsity:.2%} zeros"
    return (
        f"best at step {result.step}: {scores}{zeros}; "
        f"{result.task_bytes:,} bytes in {result.folder / TASK_FILE}, {result.seconds:.0f} s"
    )
