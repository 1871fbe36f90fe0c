"""What is left of a run: the task file, the scores of every split, and a line about them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from maskjax.progress import announced
from maskjax.taskfile import TASK_FILE, write_atomically
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment
from maskjax.training.fit import FitResult
from maskjax.training.run_dir import RESULT_FILE
from maskjax.training.saving import save_trainable
from maskjax.training.sparsity_penalty import measure_sparsity


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


def combine_seeds(folder: Path, runs: Sequence[RunResult]) -> SeedsResult:
    """Means and standard deviations over the seeds."""
    scores = {split: [some.scores[split] for some in runs] for split in runs[0].scores}
    mean = {split: float(np.mean(values)) for split, values in scores.items()}
    std = {s: float(np.std(values, ddof=min(1, len(runs) - 1))) for s, values in scores.items()}
    return SeedsResult(folder, tuple(runs), mean, std, runs[0].seconds)


def scores_by_run(runs: Sequence[RunResult]) -> dict[str, dict[str, float]]:
    """The scores of each run by the name of its folder."""
    return {some.folder.name: some.scores for some in runs}


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
