"""A whole run: prepare, train, score every split, save. The run folder is what is left of it."""

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from maskjax.config import Config, config_to_dict, flat_settings
from maskjax.extras import require
from maskjax.masking import flatten_with_paths
from maskjax.progress import Progress
from maskjax.taskfile import write_atomically
from maskjax.taskfile.digest import digest_all, digest_leaves
from maskjax.tasks import task_name
from maskjax.training import distributed
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment, prepare, prepare_seeds
from maskjax.training.fit import fit_seeds
from maskjax.training.hooks import Hook, Recorder, ShowProgress
from maskjax.training.results import (
    RunResult,
    SeedsResult,
    combine_seeds,
    finish_run,
    scores_by_run,
    summarize,
    to_json,
)
from maskjax.training.run_dir import (
    CONFIG_FILE,
    RESULT_FILE,
    FolderState,
    check_folder,
    clear_run,
)
from maskjax.training.saving import SaveSnapshots
from maskjax.training.settings import resolve_config
from maskjax.training.summary import describe

if TYPE_CHECKING:
    from maskjax.training.checkpoint import Checkpoints

CHECKPOINTS = "checkpoints"


def run(
    config: Config,
    folder: str | Path,
    *,
    console: Console | None = None,
    overwrite: bool = False,
    hooks: Sequence[Hook] = (),
) -> RunResult:
    """Trains as configured and fills a run folder.

    The folder gets `config.json`, `metrics.jsonl`, `tensorboard/`, `task.safetensors` (the packed
    mask with its head, nothing of the base) and, last, `result.json`; with the schedule `restarts`
    also `snapshots/1.safetensors` and so on, a task file for each cycle. Until the run is over
    there is `checkpoints/` as well: a run that was killed resumes from the newest of them when it
    is called again, and ends as it would have ended.

    Args:
        config: The run; `train.seeds` is 1.
        folder: Made if it is missing. It is refused if it holds a finished run or one of other
            settings, or if another process is at it.
        console: Where progress is printed; None prints nothing.
        overwrite: Delete another run, or a finished one, that the folder holds, once all settings
            and rows are checked; an unfinished one of these settings resumes.
        hooks: Called after each step, before its numbers are written.

    Returns:
        Scores and sizes.

    Raises:
        InputError: If something cannot be read, used or written. Where that shows before the
            first step, no folder is made.
        NotFiniteError: If training diverges.
        StoppedError: If SIGTERM comes while it trains; it is saved.
        ValueError: If the configuration is for several seeds.

    Example:
        >>> from maskjax.training import run
        >>> result = run(config, folder / "run")
        >>> sorted(result.scores), (folder / "run" / "task.safetensors").exists()
        (['dev', 'test'], True)
    """
    if config.train.seeds != 1:
        raise ValueError(f"Expected one seed, got {config.train.seeds}; use run_seeds instead.")
    config, folder = resolve_config(config), Path(folder)
    with ExitStack() as stack:
        progress = stack.enter_context(_progress(config, console))
        with distributed.together():
            mine = stack.enter_context(distributed.run_folder(folder))
            state = check_folder(mine, config, overwrite=overwrite)
            _require_packages(config)
            experiment = prepare(config)
            _make_room(mine, state, progress)
        _check_hosts(experiment)
        with _checkpoints(folder, config, state, progress) as checkpoints:
            result = _run([experiment], [mine], progress, checkpoints, hooks)[0]
            checkpoints.remove()
    return result._replace(folder=folder)


def run_seeds(
    config: Config,
    folder: str | Path,
    *,
    console: Console | None = None,
    overwrite: bool = False,
    hooks: Sequence[Hook] = (),
) -> SeedsResult:
    """Trains `train.seeds` seeds at once, over one copy of the base.

    The folder gets `config.json`, a run folder `seed-<seed>` for each seed, as `run` would fill it,
    and, last, `result.json` with means and standard deviations.

    Args:
        config: The runs; `train.seed` is the first seed.
        folder: Made if it is missing. It is refused if it holds finished runs or some of other
            settings, or if another process is at it; runs that were killed resume.
        console: Where progress is printed; None prints nothing.
        overwrite: As for `run`.
        hooks: As for `run`; each is called once for all seeds.

    Returns:
        Scores and sizes of each seed, and their means.

    Raises:
        InputError: If something cannot be read, used or written. Where that shows before the
            first step, no folder is made.
        NotFiniteError: If the training of a seed diverges.
        StoppedError: If SIGTERM comes while they train; they are saved.

    Example:
        >>> from dataclasses import replace
        >>> two = replace(config, train=replace(config.train, seeds=2))
        >>> result = run_seeds(two, folder / "runs")
        >>> sorted(path.name for path in (folder / "runs").glob("seed-*"))
        ['seed-0', 'seed-1']
    """
    config, folder = resolve_config(config), Path(folder)
    with ExitStack() as stack:
        progress = stack.enter_context(_progress(config, console))
        with distributed.together():
            mine = stack.enter_context(distributed.run_folder(folder))
            state = check_folder(mine, config, overwrite=overwrite)
            _require_packages(config)
            experiments = prepare_seeds(config)
            folders = [mine / f"seed-{some.config.train.seed}" for some in experiments]
            _make_room(mine, state, progress)
            _write_config(mine, config)
        _check_hosts(experiments[0])
        with _checkpoints(folder, config, state, progress) as checkpoints:
            runs = _run(experiments, folders, progress, checkpoints, hooks)
            runs = [some._replace(folder=folder / some.folder.name) for some in runs]
            result = combine_seeds(folder, runs)
            summary = to_json(result._asdict() | {"runs": scores_by_run(runs)})
            write_atomically(mine / RESULT_FILE, summary)
            checkpoints.remove()
        if len(runs) > 1:
            for split, mean in result.mean.items():
                line = f"{len(runs)} seeds: {split} {mean:.4f} ± {result.std[split]:.4f}"
                progress.message(line)
    return result


def _progress(config: Config, console: Console | None) -> Progress:
    title = f"{config.adaptation.method} {task_name(config.task)}"
    return Progress(console or Console(quiet=True), title)


def _require_packages(config: Config) -> None:
    place = config.train.checkpoints or ""
    if place.startswith("gs://"):
        require(f"--train.checkpoints {place}", "gcsfs", install="gcsfs")


def _check_hosts(experiment: Experiment) -> None:
    """Refuses hosts that were given other settings, rows or weights than the first."""
    if not distributed.is_multiprocess():
        return
    # Rows and weights are compared by content, wherever they lie on each host.
    settings = dict(flat_settings(config_to_dict(experiment.config)))
    places = ("task.path", "task.name", "model.base", "adaptation.masks", "train.checkpoints")
    distributed.check_same(
        "settings", to_json({k: v for k, v in settings.items() if k not in places})
    )
    for name, split in experiment.encoded.items():
        distributed.check_same(
            f"{name} rows", split.input_ids.values.tobytes() + split.labels.tobytes()
        )
    digests = digest_leaves(flatten_with_paths(experiment.base.params))
    distributed.check_same("weights of the base", digest_all(digests).encode())


def _make_room(folder: Path, state: FolderState, progress: Progress) -> None:
    """Deletes the run that is replaced, now that all that can be checked is."""
    if state.replaced:
        clear_run(folder)
    if state.note:
        progress.message(f"note      {state.note}")


def _checkpoints(
    folder: Path, config: Config, state: FolderState, progress: Progress
) -> "Checkpoints":
    from maskjax.training.checkpoint import Checkpoints

    place = config.train.checkpoints or str(folder / CHECKPOINTS)
    minutes = config.train.checkpoint_minutes
    checkpoints = Checkpoints(place, config_to_dict(config), minutes, progress.message)
    # The folder is the first process's alone, and all of them delete together.
    if (
        distributed.broadcast_from_primary(state.replaced)
        if distributed.is_multiprocess()
        else state.replaced
    ):
        checkpoints.clear()
    return checkpoints


def _run(
    experiments: Sequence[Experiment],
    folders: Sequence[Path],
    progress: Progress,
    checkpoints: "Checkpoints",
    hooks: Sequence[Hook],
) -> list[RunResult]:
    """Trains experiments that differ in their seeds, and fills a folder for each."""
    first = experiments[0]
    for line in describe(first, seeds=len(experiments)):
        progress.message(line)
    for experiment, folder in zip(experiments, folders, strict=True):
        _write_config(folder, experiment.config)
    with ExitStack() as stack:
        recorders = [Recorder(folder, seed) for seed, folder in enumerate(folders)]
        for recorder in recorders:
            stack.enter_context(closing(recorder))
        steps = stack.enter_context(progress.count("step", first.total_steps))
        hooks = [SaveSnapshots(folders), *hooks, *recorders, ShowProgress(progress, steps)]
        found = fit_seeds(experiments, hooks, checkpoints)
    evaluate = Evaluator(first)
    each = zip(experiments, found, folders, strict=True)
    results = [finish_run(one, best, evaluate, folder) for one, best, folder in each]
    for result, experiment in zip(results, experiments, strict=True):
        progress.message(summarize(result, experiment))
    return results


def _write_config(folder: Path, config: Config) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / CONFIG_FILE, json.dumps(config_to_dict(config), indent=2).encode())
