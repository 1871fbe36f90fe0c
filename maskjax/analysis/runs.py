"""Finished runs, checked to be comparable, and loaded on one copy of their base when needed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console

from maskjax.analysis.captions import first_evaluated
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.inference import SavedRun, load_run
from maskjax.masking.packed import PackedMask
from maskjax.models import Base, load_base
from maskjax.progress import tracked
from maskjax.taskfile import (
    TASK_FILE,
    FoundRuns,
    LeftOut,
    TaskFile,
    find_runs,
    load_task_file,
)
from maskjax.taskfile.meta import task_of
from maskjax.tasks import Split, Task
from maskjax.training.run_dir import RESULT_FILE

Same = Literal["base", "label set", "task"]

UNFINISHED = (
    f"the run is not finished, it has no {RESULT_FILE}; the command that began it resumes it"
)
NOT_A_FOLDER = "not a run folder"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run."""

    # The name of its folder, with as many parents as it takes to be the only one of its name.
    name: str
    folder: Path
    file: TaskFile
    load: Callable[..., Base]  # loads the base; the same function for all runs that are compared
    offline: bool = False

    @cached_property
    def saved(self) -> SavedRun:
        """Its base with the task merged in, loaded when first asked for."""
        return load_run(self.folder, offline=self.offline, load=self.load)

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that tell what was trained, whatever the folder is called."""
        return hashlib.sha256((self.folder / TASK_FILE).read_bytes()).hexdigest()[:12]

    @property
    def task(self) -> Task:
        """Kind, labels and metric of its task."""
        return task_of(self.file)

    @property
    def masks(self) -> dict[str, PackedMask]:
        """Its masks by path; empty for other methods."""
        return self.file.masks

    @property
    def method(self) -> str:
        """How it was adapted."""
        return self.file.meta["config"]["adaptation"]["method"]

    @property
    def seed(self) -> int:
        """The seed of its training."""
        return self.file.meta["config"]["train"]["seed"]

    @cached_property
    def _splits(self) -> dict[str, Split]:
        return self.saved.load_rows().splits

    @property
    def default_split(self) -> str:
        """Where it is scored by default: the first of `EVALUATED` that its task has."""
        return first_evaluated(self._splits)

    def split(self, name: str | None, rows: int | None = None) -> Split:
        """Rows of a split of its task, by default all of the first of `EVALUATED`.

        `load_task` has drawn the order at random, so that the first rows are a sample.
        """
        if rows is not None and rows < 1:
            raise InputError(f"--rows: expected at least 1, got {rows}.")
        splits = self._splits
        name = name or self.default_split
        if name not in splits:
            raise InputError(f"{self.name}: no split {name!r}; there are {', '.join(splits)}.")
        split = splits[name]
        return split if rows is None else split.take(np.arange(min(rows, len(split.texts))))


def study_runs(
    places: Sequence[Path],
    *same: Same,
    offline: bool = False,
    least: int = 1,
    masked: bool = False,
    needs: Sequence[str] = ("matplotlib",),
) -> list[Run]:
    """Loads the runs of a study, on one base; those that cannot be compared are an `InputError`."""
    require("maskjax analyze", *needs, install="maskjax[analysis]")
    runs = load_runs(places, offline=offline)
    if masked:
        runs = _only_masked(runs)
    if len(runs) < least:
        raise InputError(f"expected at least {least} run{'s' * (least > 1)}, got {len(runs)}.")
    for aspect in ("base", *same):
        for other in runs[1:]:
            _check_same(runs[0], other, aspect)
    return runs


def _only_masked(runs: Sequence[Run]) -> list[Run]:
    masked = [run for run in runs if run.masks.keys() & run.file.digests.keys()]
    reason = "expected a run with masks over its base, got one of {}"
    others = [LeftOut(run.folder, reason.format(run.method)) for run in runs if run not in masked]
    print_left_out(others, kept=len(masked))
    return masked


def load_runs(places: Sequence[Path], *, offline: bool = False) -> list[Run]:
    """Loads the finished runs in run folders and folders of them."""
    folders, load = _finished_runs(places), cache(load_base)
    named = list(zip(_names(folders), folders, strict=True))
    return [
        Run(name, folder, load_task_file(folder / TASK_FILE), load, offline)
        for name, folder in tracked(named, "reading", "runs")
    ]


def _finished_runs(places: Sequence[Path]) -> list[Path]:
    """Finds the finished runs in run folders and folders of them, at any depth."""
    runs: dict[Path, Path] = {}
    left_out: list[LeftOut] = []
    for place in places:
        if not place.exists():
            raise InputError(f"{place}: no such run folder.")
        found = find_runs(place) if place.is_dir() else FoundRuns([], [place], [])
        left_out += [*found.left_out, *(LeftOut(file, NOT_A_FOLDER) for file in found.files)]
        for run in found.runs:
            if (run / RESULT_FILE).is_file():
                runs.setdefault(run.resolve(), run)
            else:
                left_out.append(LeftOut(run, UNFINISHED))
    print_left_out(left_out, kept=len(runs))
    return list(runs.values())


def task_paths(places: Sequence[Path]) -> list[Path]:
    """Replaces folders of runs by the runs and task files in them."""
    paths, left_out = [], []
    for place in places:
        if not place.is_dir() or (place / TASK_FILE).is_file():
            paths.append(place)
            continue
        found = find_runs(place)
        paths += [*found.runs, *found.files]
        left_out += found.left_out
    print_left_out(left_out, kept=len(paths))
    return paths


def print_left_out(left_out: Sequence[LeftOut], *, kept: int) -> None:
    """Says what is not used."""
    if not kept and len(left_out) == 1:
        raise InputError(f"{left_out[0]}.")
    console = Console(stderr=True)
    for left in left_out:
        console.print(f"skipped {left}", highlight=False, markup=False, soft_wrap=True)
    if not kept and left_out:
        raise InputError("expected at least one finished run, got none that can be used.")


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    depth = 1
    parts = [folder.resolve().parts for folder in folders]
    while len({part[-depth:] for part in parts}) < len(set(parts)):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def _check_same(first: Run, second: Run, aspect: Same) -> None:
    a, b = (_identity(run, aspect) for run in (first, second))
    if a != b:
        raise InputError(
            f"{second.name}: expected a run with the same {aspect} as {first.name}, which has "
            f"{a}, got {b}."
        )


def _identity(run: Run, aspect: Same) -> str:
    task, base = run.task, run.file.meta["base"]
    labels = f"{task.kind} of {', '.join(task.labels) or 'a number'}"
    match aspect:
        case "base":
            return f"{base['name']} of digest {base['digest'][:12]}"
        case "label set":
            return f"the {task.kind} of {', '.join(sorted(task.labels)) or 'a number'}"
        case "task":
            return f"{task.name}, the {labels}"
