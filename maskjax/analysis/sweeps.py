"""Sweeps: many small trainings that differ in one setting, each trained once.

A plan is what one cell trains: all seeds of one setting, at once where a mask is learned. Runs that
are finished are not trained again, and those that were killed resume.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from maskjax.analysis.baselines import head_config, train_control
from maskjax.analysis.figures import Row
from maskjax.analysis.resumable import Key, name_of, run_cells
from maskjax.analysis.runs import name_seeds
from maskjax.config import Config
from maskjax.errors import InputError
from maskjax.taskfile import TASK_FILE, read_task_header
from maskjax.training import run_seeds
from maskjax.training.run_dir import CONFIG_FILE, RESULT_FILE, read_result
from maskjax.training.settings import check_stored

Numbers = dict[str, Any]


class Plan(NamedTuple):
    """What a cell of a sweep trains.

    Attributes:
        key: What distinguishes it within the sweep, JSON values.
        config: The settings of its runs: `train.seeds` seeds from `train.seed` on.
        control: Whether its masks stay as they start, and only the head is trained.
    """

    key: dict[str, Any]
    config: Config
    control: bool = False

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


def train_plans(plans: Sequence[Plan], out: Path, console: Console) -> list[Numbers]:
    """Trains what is missing."""
    by_key = {name_of(plan.key): plan for plan in plans}
    for plan in plans:
        _check(plan, out)
    runs = sum(len(plan.seeds) for plan in plans)
    text = f"{runs} runs to train in all, {len(plans)} settings"
    console.print(f"{text}; the first one says how long it takes", highlight=False)

    def compute(key: Key) -> dict[str, Any]:
        return {"runs": _train(by_key[name_of(key)], out, console)}

    keys = [plan.key for plan in plans]
    cells = run_cells(keys, compute, out / "sweep.jsonl", console=console)
    return [
        {**plan.key, **found}
        for plan, cell in zip(plans, cells, strict=True)
        for found in cell["runs"]
    ]


def scores_of(rows: Sequence[Numbers], split: str) -> list[Numbers]:
    """Rows of a table: of each run the score on one split."""
    found = []
    for row in rows:
        values = {name: value for name, value in row.items() if name != "scores"}
        if split not in row["scores"]:
            raise InputError(
                f"--split: there is no {split!r}; there are {', '.join(row['scores'])}."
            )
        found.append({**values, "split": split, "score": row["scores"][split]})
    return found


def about_seeds(rows: Sequence[Row]) -> str:
    """Says for a caption what the means and bands of a sweep are over."""
    seeds = {row["seed"] for row in rows}
    runs = f"n = {len(seeds)} run{'s' * (len(seeds) > 1)}, {name_seeds(seeds)}"
    return f"{rows[0]['split']} rows; means over {runs}; bands hold all of them"


def by_seed(rows: Sequence[Row], name: str, value: str) -> list[np.ndarray]:
    """The curve of each seed over the settings of a sweep."""
    places = list(dict.fromkeys(row[name] for row in rows))
    seeds = dict.fromkeys(row["seed"] for row in rows)
    values = {
        (row["seed"], row[name]): row["bytes"] / 1000 if value == "kB" else row[value]
        for row in rows
    }
    return [np.array([values[seed, place] for place in places]) for seed in seeds]


def sweep_table(
    rows: Sequence[Row], settings: Mapping[str, Callable[[Any], str]], runs: str
) -> Table:
    """A line for each setting of each task: how its seeds scored, and their bytes."""
    table = Table("task", *settings, runs, "mean", "lowest", "highest", "kB")
    places = [(row["task"], *(row[name] for name in settings)) for row in rows]
    for place in dict.fromkeys(places):
        mine = [row for row, at in zip(rows, places, strict=True) if at == place]
        scores = [row["score"] for row in mine]
        spread = (float(np.mean(scores)), min(scores), max(scores))
        kilobytes = f"{np.mean([row['bytes'] for row in mine]) / 1000:.1f}"
        head = [show(at) for show, at in zip((str, *settings.values()), place, strict=True)]
        table.add_row(*head, str(len(mine)), *(f"{one:.4f}" for one in spread), kilobytes)
    return table


def _train(plan: Plan, out: Path, console: Console) -> list[Numbers]:
    folder = _folder(plan, out)
    if plan.control:
        for seed in plan.seeds:
            train_control(_with_seed(plan.config, seed), folder / f"seed-{seed}", console)
    elif not (folder / RESULT_FILE).exists():
        run_seeds(plan.config, folder, console=console)
    return [{"seed": seed, **_outcome(folder / f"seed-{seed}")} for seed in plan.seeds]


def _outcome(folder: Path) -> Numbers:
    """What is kept of a run."""
    names = {"bytes": "task_bytes", "zeros": "sparsity", "scores": "scores"}
    result = read_result(folder, *names.values())
    task = read_task_header(folder / TASK_FILE).meta["task"]
    return {"metric": task["metric"], **{name: result[key] for name, key in names.items()}}


def _check(plan: Plan, out: Path) -> None:
    """Refuses runs of other settings, finished ones too, before anything is trained."""
    folder = _folder(plan, out)
    runs = [(folder, plan.config)]
    if plan.control:
        folders = {seed: folder / f"seed-{seed}" for seed in plan.seeds}
        each = ((_with_seed(plan.config, seed), path) for seed, path in folders.items())
        runs = [(path, head_config(config, path)) for config, path in each]
    for path, config in runs:
        if (path / CONFIG_FILE).exists():
            check_stored(path, config)


def _folder(plan: Plan, out: Path) -> Path:
    return out / "runs" / plan.name


def _with_seed(config: Config, seed: int) -> Config:
    return replace(config, train=replace(config.train, seed=seed, seeds=1))
