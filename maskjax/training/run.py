"""A whole run: prepare, train, score every split, save. The run folder is what is left of it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
from rich.console import Console

from maskjax.adaptation import random_starts
from maskjax.config import Config, config_to_dict
from maskjax.doctor import versions
from maskjax.errors import InputError
from maskjax.masking import leaves_by_path
from maskjax.models import head_paths
from maskjax.taskfile import (
    TASK_FILE,
    make_meta,
    make_task_file,
    mask_bytes,
    save_task_file,
    write_atomically,
)
from maskjax.training.fit import Evaluator, FitResult, fit
from maskjax.training.prepare import Experiment, prepare
from maskjax.training.reporting import ProgressLine, Recorder, Reporters
from maskjax.training.step import run_keys

CONFIG_FILE = "config.json"
RESULT_FILE = "result.json"


class RunResult(NamedTuple):
    """The outcome of a run.

    Attributes:
        folder: Where it is saved.
        scores: `{split: score}` of the best trainable.
        step: The step that it is from.
        task_bytes: Size of the task file.
        seconds: Training time, evaluations and compiling included.
        sparsity: Fraction of zeros of all masks; None without masks.
    """

    folder: Path
    scores: dict[str, float]
    step: int
    task_bytes: int
    seconds: float
    sparsity: float | None


def run(config: Config, folder: Path, *, console: Console | None = None) -> RunResult:
    """Trains as configured and fills a run folder.

    The folder gets `config.json`, `metrics.jsonl`, `tensorboard/`, `task.safetensors` (the packed
    mask with its head, nothing of the base) and, last, `result.json`.

    Args:
        config: The run.
        folder: Made if it is missing; a finished or half-done run in it is refused.
        console: Where to tell about it; None tells nobody.

    Returns:
        Scores and sizes.

    Raises:
        InputError: If something cannot be read, used or written. Where that shows before the
            first step, no folder is made.
        NotFiniteError: If training diverges.
    """
    console = console or Console(quiet=True)
    if (folder / CONFIG_FILE).exists():
        raise InputError(f"{folder}: already holds a run; choose another --out, or delete it.")
    experiment = prepare(config)
    for line in describe(experiment):
        console.print(line, highlight=False, markup=False)
    _make_folder(folder, config)
    recorder = Recorder(folder)
    title = f"{config.adaptation.method} {experiment.data.task.name}"
    try:
        with ProgressLine(console, title) as progress:
            progress.start(experiment.total_steps)
            best = fit(experiment, Reporters(recorder, progress))
    finally:
        recorder.close()
    result = _finish(experiment, best, folder)
    console.print(_summary(result, experiment), highlight=False, markup=False)
    return result


def describe(experiment: Experiment) -> list[str]:
    """The first lines of a run: devices, versions, model, rows, and what is learned.

    Args:
        experiment: The run.

    Returns:
        Lines of text.
    """
    base, task = experiment.base, experiment.data.task
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    rows = ", ".join(f"{name} {len(s.labels):,}" for name, s in experiment.data.splits.items())
    cut = sum(encoded.truncated for encoded in experiment.encoded.values())
    weights = sum(leaf.size for leaf in jax.tree.leaves(experiment.params))
    return [
        f"devices   {len(jax.devices())} x {devices} ({jax.default_backend()})",
        f"versions  {', '.join(f'{name} {version}' for name, version in versions().items())}",
        f"model     {base.name}: {base.config.family}, {base.config.num_layers} blocks of "
        f"{base.config.hidden_size}, {weights:,} weights",
        f"task      {task.name}: {task.kind}, scored by {task.metric}; rows: {rows}; "
        f"{cut:,} texts cut to {experiment.config.task.max_length} tokens",
        f"method    {_describe_trainable(experiment)}",
    ]


def _describe_trainable(experiment: Experiment) -> str:
    method = experiment.config.adaptation.method
    key = jax.random.key(0)
    trainable = jax.eval_shape(experiment.adaptation.init, key, experiment.params)
    frozen = jax.eval_shape(experiment.adaptation.freeze, trainable, experiment.params)
    masked = sum(mask.size for mask in frozen.get("mask", {}).values())
    trained = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    if method != "mask":
        return f"{method}: {trained:,} trained numbers"
    head = sum(leaf.size for leaf in jax.tree.leaves(trainable.get("head", {})))
    arrays = len(frozen["mask"])
    return (
        f"{method}: {masked:,} weights masked in {arrays} arrays, {head:,} head weights trained; "
        f"{mask_bytes(frozen['mask']):,} bytes of mask at one bit a weight"
    )


def _make_folder(folder: Path, config: Config) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}.") from error
    write_atomically(folder / CONFIG_FILE, json.dumps(config_to_dict(config), indent=2).encode())


def _finish(experiment: Experiment, best: FitResult, folder: Path) -> RunResult:
    evaluate = Evaluator(experiment)
    splits = [name for name in experiment.encoded if name != "train"]
    scores = {name: evaluate(best.trainable, name) for name in splits}
    base = leaves_by_path(experiment.base.params)
    kept = _kept(experiment, best)
    start, _ = run_keys(jax.random.key(experiment.config.train.seed))
    starts = random_starts(experiment.config.adaptation, start, kept.get("mask", {}))
    meta = make_meta(experiment.data.task, experiment.base, experiment.config, scores)
    file = make_task_file(kept, base, meta, starts)
    size = save_task_file(folder / TASK_FILE, file)
    sparsity = experiment.adaptation.stats(best.trainable, experiment.params).get("sparsity")
    zeros = None if sparsity is None else float(sparsity)
    result = RunResult(folder, scores, best.step, size, best.seconds, zeros)
    write_atomically(folder / RESULT_FILE, json.dumps(result._asdict(), default=str).encode())
    return result


def _kept(experiment: Experiment, best: FitResult) -> dict[str, dict[str, Any]]:
    """The frozen adaptation, with the head's weights even where they were never trained."""
    frozen = experiment.adaptation.freeze(best.trainable, experiment.params)
    leaves = leaves_by_path(experiment.params)
    head = {path: leaves[path] for path in head_paths(experiment.model)}
    return {**frozen, "weight": head | frozen.get("weight", {})}


def _summary(result: RunResult, experiment: Experiment) -> str:
    metric = experiment.data.task.metric
    scores = ", ".join(f"{split} {metric} {score:.4f}" for split, score in result.scores.items())
    zeros = "" if result.sparsity is None else f", {result.sparsity:.2%} zeros"
    return (
        f"best at step {result.step}: {scores}{zeros}; "
        f"{result.task_bytes:,} bytes in {result.folder / TASK_FILE}, {result.seconds:.0f} s"
    )
