"""A whole run: prepare, train, score every split, save. The run folder is what is left of it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from rich.console import Console

from maskjax.config import Config, config_to_dict
from maskjax.errors import InputError
from maskjax.masking import leaves_by_path
from maskjax.taskfile import TASK_FILE, write_atomically
from maskjax.taskfile.digest import digest_all, digest_leaves
from maskjax.training import hosts
from maskjax.training.describe import describe
from maskjax.training.evaluate import Evaluator
from maskjax.training.fit import FitResult, fit_together
from maskjax.training.folder import CONFIG_FILE, RESULT_FILE, check_folder
from maskjax.training.prepare import Experiment, prepare, prepare_seeds
from maskjax.training.reporting import ProgressLine, Recorder, Reporters
from maskjax.training.saving import SnapshotSaver, save_trainable

if TYPE_CHECKING:
    from maskjax.training.checkpoint import Checkpoints

CHECKPOINTS = "checkpoints"


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


def run(config: Config, folder: Path, *, console: Console | None = None) -> RunResult:
    """Trains as configured and fills a run folder.

    The folder gets `config.json`, `metrics.jsonl`, `tensorboard/`, `task.safetensors` (the packed
    mask with its head, nothing of the base) and, last, `result.json`; with the schedule `restarts`
    also `snapshots/1.safetensors` and so on, a task file for each cycle. Until the run is over
    there is `checkpoints/` as well: a run that was killed goes on from the newest of them when it
    is called again, and ends as it would have ended.

    Args:
        config: The run; `train.seeds` is 1.
        folder: Made if it is missing. It is refused if it holds a finished run or one of other
            settings, or if another process is at it.
        console: Where to tell about it; None tells nobody.

    Returns:
        Scores and sizes.

    Raises:
        InputError: If something cannot be read, used or written. Where that shows before the
            first step, no folder is made.
        NotFiniteError: If training diverges.
        StoppedError: If SIGTERM comes while it trains; it is saved.
        ValueError: If the configuration is for several seeds.
    """
    if config.train.seeds != 1:
        raise ValueError(f"Expected one seed, got {config.train.seeds}; use run_seeds instead.")
    console = console or Console(quiet=True)
    with ExitStack() as stack:
        with hosts.together():
            mine = stack.enter_context(hosts.run_folder(folder))
            check_folder(mine, config)
            experiment = prepare(config)
        _check_hosts(experiment)
        with _checkpoints(folder, config, console) as checkpoints:
            result = _run([experiment], [mine], console, checkpoints)[0]
            checkpoints.remove()
    return result._replace(folder=folder)


def run_seeds(config: Config, folder: Path, *, console: Console | None = None) -> SeedsResult:
    """Trains `train.seeds` seeds at once, over one copy of the base.

    The folder gets `config.json`, a run folder `seed-<seed>` for each seed, as `run` would fill it,
    and, last, `result.json` with means and standard deviations.

    Args:
        config: The runs; `train.seed` is the first seed.
        folder: Made if it is missing. It is refused if it holds finished runs or some of other
            settings, or if another process is at it; runs that were killed go on.
        console: Where to tell about it; None tells nobody.

    Returns:
        Scores and sizes of each seed, and their means.

    Raises:
        InputError: If something cannot be read, used or written. Where that shows before the
            first step, no folder is made.
        NotFiniteError: If the training of a seed diverges.
        StoppedError: If SIGTERM comes while they train; they are saved.
    """
    console = console or Console(quiet=True)
    with ExitStack() as stack:
        with hosts.together():
            mine = stack.enter_context(hosts.run_folder(folder))
            check_folder(mine, config)
            experiments = prepare_seeds(config)
            folders = [mine / f"seed-{some.config.train.seed}" for some in experiments]
            if not (mine / CONFIG_FILE).exists():
                _refuse_occupied(folders)
            _write_config(mine, config)
        _check_hosts(experiments[0])
        with _checkpoints(folder, config, console) as checkpoints:
            runs = _run(experiments, folders, console, checkpoints)
            runs = [some._replace(folder=folder / some.folder.name) for some in runs]
            result = _together(folder, runs)
            summary = _json(result._asdict() | {"runs": _scores(runs)})
            write_atomically(mine / RESULT_FILE, summary)
            checkpoints.remove()
    if len(runs) > 1:
        for split, mean in result.mean.items():
            line = f"{len(runs)} seeds: {split} {mean:.4f} ± {result.std[split]:.4f}"
            _tell(console, line)
    return result


def _check_hosts(experiment: Experiment) -> None:
    """Refuses hosts that were given other settings, rows or weights than the first."""
    if not hosts.several():
        return
    hosts.check_same("settings", _json(config_to_dict(experiment.config)))
    for name, split in experiment.encoded.items():
        hosts.check_same(f"{name} rows", split.input_ids.values.tobytes() + split.labels.tobytes())
    digests = digest_leaves(leaves_by_path(experiment.base.params))
    hosts.check_same("weights of the base", digest_all(digests).encode())


def _checkpoints(folder: Path, config: Config, console: Console) -> "Checkpoints":
    from maskjax.training.checkpoint import Checkpoints

    place = config.train.checkpoints or str(folder / CHECKPOINTS)
    minutes = config.train.checkpoint_minutes
    return Checkpoints(place, config_to_dict(config), minutes, partial(_tell, console))


def _tell(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False)


def _run(
    experiments: Sequence[Experiment],
    folders: Sequence[Path],
    console: Console,
    checkpoints: "Checkpoints",
) -> list[RunResult]:
    """Trains experiments that differ in their seeds, and fills a folder for each."""
    first = experiments[0]
    for line in describe(first, seeds=len(experiments)):
        _tell(console, line)
    title = f"{first.config.adaptation.method} {first.data.task.name}"
    with ExitStack() as stack:
        recorders = []
        for experiment, folder in zip(experiments, folders, strict=True):
            _write_config(folder, experiment.config)
            recorders.append(stack.enter_context(closing(Recorder(folder))))
        progress = stack.enter_context(ProgressLine(console, title))
        progress.start(first.total_steps)
        parts = progress.divide(len(experiments))
        savers = map(SnapshotSaver, experiments, folders)
        listeners = [Reporters(*some) for some in zip(recorders, parts, savers, strict=True)]
        found = fit_together(experiments, listeners, checkpoints)
    evaluate = Evaluator(first)
    results = []
    for experiment, best, folder in zip(experiments, found, folders, strict=True):
        results.append(_finish(experiment, best, evaluate, folder))
        _tell(console, _summary(results[-1], experiment))
    return results


def _refuse_occupied(folders: Sequence[Path]) -> None:
    for folder in folders:
        if (folder / CONFIG_FILE).exists():
            raise InputError(f"{folder}: already holds a run; choose another --out, or delete it.")


def _write_config(folder: Path, config: Config) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / CONFIG_FILE, json.dumps(config_to_dict(config), indent=2).encode())


def _finish(
    experiment: Experiment, best: FitResult, evaluate: Evaluator, folder: Path
) -> RunResult:
    splits = [name for name in experiment.encoded if name != "train"]
    scores = {name: evaluate(experiment, best.trainable, name) for name in splits}
    size = save_trainable(experiment, best.trainable, scores, folder / TASK_FILE)
    stats = jax.jit(experiment.adaptation.stats)(best.trainable, experiment.params)
    zeros = float(stats["sparsity"]) if "sparsity" in stats else None
    result = RunResult(folder, scores, best.step, size, best.seconds, zeros)
    write_atomically(folder / RESULT_FILE, _json(result._asdict()))
    return result


def _together(folder: Path, runs: Sequence[RunResult]) -> SeedsResult:
    scores = {split: [some.scores[split] for some in runs] for split in runs[0].scores}
    mean = {split: float(np.mean(values)) for split, values in scores.items()}
    std = {s: float(np.std(values, ddof=min(1, len(runs) - 1))) for s, values in scores.items()}
    return SeedsResult(folder, tuple(runs), mean, std, runs[0].seconds)


def _scores(runs: Sequence[RunResult]) -> dict[str, dict[str, float]]:
    return {some.folder.name: some.scores for some in runs}


def _json(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, default=str).encode()


def _summary(result: RunResult, experiment: Experiment) -> str:
    metric = experiment.data.task.metric
    scores = ", ".join(f"{split} {metric} {score:.4f}" for split, score in result.scores.items())
    zeros = "" if result.sparsity is None else f", {result.sparsity:.2%} zeros"
    return (
        f"best at step {result.step}: {scores}{zeros}; "
        f"{result.task_bytes:,} bytes in {result.folder / TASK_FILE}, {result.seconds:.0f} s"
    )
