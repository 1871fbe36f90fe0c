"""Sweeps: many small trainings that differ in one setting, each trained once.

A plan is what one job trains: all seeds of one setting, at once where a mask is learned. Runs that
are finished are not trained again, and those that were killed resume.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from maskjax.analysis.captions import first_evaluated, seeds_text
from maskjax.analysis.figures import Frame
from maskjax.analysis.resumable import Key, name_of, run_jobs
from maskjax.config import Config
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.options import with_short_options

Numbers = dict[str, Any]
Show = Callable[[Any], str]


class Plan(NamedTuple):
    """What a job of a sweep trains."""

    key: dict[str, Any]  # what distinguishes it within the sweep, JSON values
    config: Config  # the settings of its runs: `train.seeds` seeds from `train.seed` on
    control: bool = False  # whether its masks stay as they start, and only the head is trained

    @property
    def name(self) -> str:
        """The name of its folder."""
        text = "-".join(str(value) for value in self.key.values())
        return text.replace("/", "_").replace(" ", "_")

    @property
    def seeds(self) -> range:
        """The seeds of its runs."""
        train = self.config.train
        return range(train.seed, train.seed + train.seeds)


def run_sweep(
    plans: Sequence[Plan], out: Path, *, split: str | None, settings: Mapping[str, Show]
) -> Frame:
    """Trains what is missing, and prints and gives the score of each run."""
    console = Console()
    frame = scores_of(_train_plans(plans, out, console), split)
    console.print(_table(frame, settings))
    return frame


def _train_plans(plans: Sequence[Plan], out: Path, console: Console) -> list[Numbers]:
    by_key = {name_of(plan.key): plan for plan in plans}
    for plan in plans:
        _check(plan, out)
    runs = sum(len(plan.seeds) for plan in plans)
    text = f"{runs} runs to train in all, {len(plans)} settings"
    console.print(f"{text}; the first one says how long it takes", highlight=False)

    def compute(key: Key) -> dict[str, Any]:
        return {"runs": _train(by_key[name_of(key)], out, console)}

    keys = [plan.key for plan in plans]
    jobs = run_jobs(keys, compute, out / "sweep.jsonl", console=console)
    return [
        {**plan.key, **stored}
        for plan, job in zip(plans, jobs, strict=True)
        for stored in job["runs"]
    ]


def scores_of(runs: Sequence[Numbers], split: str | None) -> Frame:
    """The score of each run on one split, by default the first of `EVALUATED` that it has."""
    from pandas import DataFrame

    rows = []
    for run in runs:
        scores = run["scores"]
        name = split or first_evaluated(scores)
        if name not in scores:
            raise InputError(f"--split: there is no {name!r}; there are {', '.join(scores)}.")
        values = {key: value for key, value in run.items() if key != "scores"}
        rows.append({**values, "split": name, "score": scores[name]})
    return DataFrame(rows)


def about_seeds(frame: Frame) -> str:
    """Says for a caption what the means and bands of a sweep are over."""
    seeds = frame["seed"].unique()
    runs = f"n = {len(seeds)} run{'s' * (len(seeds) > 1)}, {seeds_text(map(int, seeds))}"
    return f"{frame['split'].iloc[0]} rows; means over {runs}; bands hold all of them"


def _table(frame: Frame, settings: Mapping[str, Show]) -> Table:
    """A line for each setting of each task: how its seeds scored, and their bytes."""
    table = Table("task", *settings, "runs", "mean", "lowest", "highest", "kB")
    for place, own in frame.groupby(["task", *settings], sort=False):
        score = own["score"]
        spread = (f"{value:.4f}" for value in (score.mean(), score.min(), score.max()))
        head = (show(at) for show, at in zip((str, *settings.values()), place, strict=True))
        table.add_row(*head, str(len(own)), *spread, f"{own['bytes'].mean() / 1000:.1f}")
    return table


def sweep_configs(
    config: Config, more_configs: Sequence[Config], *, seeds: int | None, offline: bool
) -> list[Config]:
    """The settings of each `--config` of a sweep."""
    require("maskjax analyze", "matplotlib", install="maskjax[analysis]")
    configs = (config, *more_configs)
    tasks = [swept.task.name for swept in configs]
    if len(set(tasks)) < len(tasks):
        raise InputError(f"--config: expected a task once, got {', '.join(tasks)}.")
    return [with_short_options(swept, seeds=seeds, offline=offline) for swept in configs]


def _train(plan: Plan, out: Path, console: Console) -> list[Numbers]:
    from maskjax.analysis.baselines import train_control
    from maskjax.training import run_seeds
    from maskjax.training.run_dir import RESULT_FILE

    folder = _folder(plan, out)
    if plan.control:
        for seed in plan.seeds:
            train_control(_with_seed(plan.config, seed), folder / f"seed-{seed}", console)
    elif not (folder / RESULT_FILE).exists():
        run_seeds(plan.config, folder, console=console)
    return [{"seed": seed, **_outcome(folder / f"seed-{seed}")} for seed in plan.seeds]


def _outcome(folder: Path) -> Numbers:
    """What is kept of a run."""
    from maskjax.taskfile import TASK_FILE, read_task_header
    from maskjax.training.run_dir import read_result

    names = {"bytes": "task_bytes", "zeros": "sparsity", "scores": "scores"}
    result = read_result(folder, *names.values())
    task = read_task_header(folder / TASK_FILE).meta["task"]
    return {"metric": task["metric"], **{name: result[key] for name, key in names.items()}}


def _check(plan: Plan, out: Path) -> None:
    """Refuses runs of other settings, finished ones too, before anything is trained."""
    from maskjax.analysis.baselines import head_config
    from maskjax.training.run_dir import CONFIG_FILE, check_stored
    from maskjax.training.validate import resolve_config

    folder = _folder(plan, out)
    runs = [(folder, plan.config)]
    if plan.control:
        folders = {seed: folder / f"seed-{seed}" for seed in plan.seeds}
        by_seed = ((_with_seed(plan.config, seed), path) for seed, path in folders.items())
        runs = [(path, head_config(config, path)) for config, path in by_seed]
    for path, config in runs:
        if (path / CONFIG_FILE).exists():
            check_stored(path, resolve_config(config))


def _folder(plan: Plan, out: Path) -> Path:
    return out / "runs" / plan.name


def _with_seed(config: Config, seed: int) -> Config:
    return replace(config, train=replace(config.train, seed=seed, seeds=1))
