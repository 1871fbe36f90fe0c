"""A whole run: prepare, train, score every split, save. The run folder is what is left of it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from maskjax.config import Config, config_to_dict
from maskjax.extras import require
from maskjax.progress import Progress
from maskjax.taskfile import write_atomically
from maskjax.tasks import task_name
from maskjax.training import distributed
from maskjax.training.evaluate import Evaluator
from maskjax.training.experiment import Experiment, build_seeds, fingerprint
from maskjax.training.fit import fit_seeds
from maskjax.training.hooks import Hook, Recorder, ShowProgress
from maskjax.training.results import (
    RunResult,
    SaveSnapshots,
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
from maskjax.training.summary import describe
from maskjax.training.validate import resolve_config

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
    with _begin(config, Path(folder), console, overwrite=overwrite) as begun:
        (result,) = _train(begun, [begun.folder], hooks)
    return result._replace(folder=Path(folder))


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
    folder = Path(folder)
    with _begin(config, folder, console, overwrite=overwrite) as begun:
        _write_config(begun.folder, begun.config)
        seeds = [begun.folder / f"seed-{one.config.train.seed}" for one in begun.experiments]
        runs = _train(begun, seeds, hooks)
        runs = [result._replace(folder=folder / result.folder.name) for result in runs]
        result = combine_seeds(folder, runs)
        summary = to_json(result._asdict() | {"runs": scores_by_run(runs)})
        write_atomically(begun.folder / RESULT_FILE, summary)
        if len(runs) > 1:
            for split, mean in result.mean.items():
                line = f"{len(runs)} seeds: {split} {mean:.4f} ± {result.std[split]:.4f}"
                begun.progress.message(line)
    return result


class _Begun(NamedTuple):
    config: Config
    folder: Path  # that this process writes in
    experiments: list[Experiment]
    progress: Progress
    checkpoints: "Checkpoints"


@contextmanager
def _begin(
    config: Config, folder: Path, console: Console | None, *, overwrite: bool
) -> Iterator[_Begun]:
    """Holds the folder of a run, with all that can be checked before it trains."""
    config = resolve_config(config)
    title = f"{config.adaptation.method} {task_name(config.task)}"
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console or Console(quiet=True), title))
        with distributed.together():
            own = stack.enter_context(distributed.run_folder(folder))
            state = check_folder(own, config, overwrite=overwrite)
            place = config.train.checkpoints or str(folder / CHECKPOINTS)
            if place.startswith("gs://"):
                require(f"--train.checkpoints {place}", "gcsfs", install="gcsfs")
            experiments = build_seeds(config)
            if state.replaced:
                clear_run(own)
            if state.note:
                progress.message(f"note      {state.note}")
        if distributed.is_multiprocess():
            distributed.check_same(fingerprint(experiments[0]))
        checkpoints = stack.enter_context(_checkpoints(place, config, state, progress))
        yield _Begun(config, own, experiments, progress, checkpoints)
        checkpoints.remove()


def _checkpoints(
    place: str, config: Config, state: FolderState, progress: Progress
) -> "Checkpoints":
    from maskjax.training.checkpoint import Checkpoints

    minutes = config.train.checkpoint_minutes
    checkpoints = Checkpoints(place, config_to_dict(config), minutes, progress.message)
    # The folder is the first process's alone, and all of them delete together.
    if distributed.broadcast_from_primary(state.replaced):
        checkpoints.clear()
    return checkpoints


def _train(begun: _Begun, folders: Sequence[Path], hooks: Sequence[Hook]) -> list[RunResult]:
    """Trains experiments that differ in their seeds, and fills a folder for each."""
    experiments, progress = begun.experiments, begun.progress
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
        fitted = fit_seeds(experiments, hooks, begun.checkpoints)
    evaluate = Evaluator(first)
    finished = zip(experiments, fitted, folders, strict=True)
    results = [finish_run(one, best, evaluate, folder) for one, best, folder in finished]
    for result, experiment in zip(results, experiments, strict=True):
        progress.message(summarize(result, experiment))
    return results


def _write_config(folder: Path, config: Config) -> None:
    folder.mkdir(exist_ok=True)
    write_atomically(folder / CONFIG_FILE, json.dumps(config_to_dict(config), indent=2).encode())
