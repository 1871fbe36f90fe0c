"""Finished runs, checked to be comparable, and loaded on one copy of their base when needed."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from maskjax.errors import InputError
from maskjax.progress import tracked

if TYPE_CHECKING:
    from maskjax.inference import TaskPredictor
    from maskjax.masking.packed import PackedMask
    from maskjax.models import Base
    from maskjax.taskfile import TaskFile
    from maskjax.tasks import Split, Task

Same = Literal["base", "labels", "label set", "task"]

UNFINISHED = "the run is not finished, it has no result.json; the command that began it resumes it"
TRAIN = "train"
EVALUATED = ("dev", "test", "holdout")
"""Where a study scores runs by default: the first of these that a task has."""


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        name: The name of its folder, with as many parents as it takes to be the only one of its
            name.
        folder: Its folder.
        file: Its task file.
        load: Loads the base; the same function for all runs that are compared.
        offline: Never ask the network.
    """

    name: str
    folder: Path
    file: "TaskFile"
    load: "Callable[..., Base]"
    offline: bool = False

    @cached_property
    def predictor(self) -> "TaskPredictor":
        """Its base with the task merged in, loaded when first asked for."""
        from maskjax.inference import load_predictor

        return load_predictor(self.folder, offline=self.offline, load=self.load)

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that tell what was trained, whatever the folder is called."""
        from maskjax.taskfile import TASK_FILE

        return hashlib.sha256((self.folder / TASK_FILE).read_bytes()).hexdigest()[:12]

    @property
    def task(self) -> "Task":
        """Kind, labels and metric of its task."""
        from maskjax.inference.saved_run import task_of

        return task_of(self.file)

    @property
    def masks(self) -> "dict[str, PackedMask]":
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
    def _splits(self) -> "dict[str, Split]":
        return self.predictor.load_rows().splits

    @property
    def default_split(self) -> str:
        """Where it is scored by default: the first of `EVALUATED` that its task has."""
        return first_evaluated(self._splits)

    def split(self, name: str | None, rows: int | None = None) -> "Split":
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


def load_runs(
    folders: Sequence[Path], *, same: Sequence[Same] = ("base",), offline: bool = False
) -> list[Run]:
    """Loads runs that are to be compared."""
    from maskjax.models import load_base
    from maskjax.taskfile import TASK_FILE, find_task_file, load_task_file
    from maskjax.training.run_dir import RESULT_FILE

    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such run folder.")
        find_task_file(folder, offline=True)
        if not (folder / RESULT_FILE).is_file():
            raise InputError(f"{folder}: {UNFINISHED}.")
    load = cache(load_base)
    named = list(zip(_names(folders), folders, strict=True))
    runs = [
        Run(name, folder, load_task_file(folder / TASK_FILE), load, offline)
        for name, folder in tracked(named, "reading", "runs")
    ]
    check_same(runs, same)
    return runs


def first_evaluated(splits: Collection[str]) -> str:
    """Where a study scores runs if it is not told.

    Example:
        >>> first_evaluated(["train", "holdout"])
        'holdout'
    """
    return next(split for split in EVALUATED if split in splits)


def check_same(runs: Sequence[Run], same: Sequence[Same]) -> None:
    """Refuses runs that differ in what must be the same."""
    for what in same:
        for other in runs[1:]:
            _check_same(runs[0], other, what)


def is_masked(run: Run) -> bool:
    """Whether a run has masks over its base."""
    return bool(run.masks.keys() & run.file.digests.keys())


def rows_text(split: str | None, rows: int | None) -> str:
    """Says what `Run.split` gives, for people.

    Example:
        >>> rows_text("test", None), rows_text(None, 200)
        ('all rows of test', 'up to 200 rows of dev, test or holdout')
    """
    amount = "all" if rows is None else f"up to {rows:,}"
    return f"{amount} rows of {split or 'dev, test or holdout'}"


def runs_text(runs: Sequence[Run]) -> str:
    """Counts runs and names their seeds, for a caption."""
    return f"{len(runs)} run{'s' * (len(runs) > 1)}, {seeds_text(runs)}"


def seeds_text(runs: Iterable[Run]) -> str:
    """Names the seeds of runs, for a caption."""
    return name_seeds(run.seed for run in runs)


def name_seeds(seeds: Iterable[int]) -> str:
    """Names seeds, each once and in order.

    Example:
        >>> name_seeds([1, 0, 1]), name_seeds([2])
        ('seeds 0, 1', 'seed 2')
    """
    different = sorted(set(seeds))
    return f"seed{'s' * (len(different) > 1)} {', '.join(map(str, different))}"


def short_names(names: Sequence[str]) -> list[str]:
    """Leaves out what the names of runs share, for figures and tables.

    Example:
        >>> short_names(["sst2-mask-1e-3-0", "sst2-mask-1e-3-1", "trec-mask-1e-3-0"])
        ['sst2-0', 'sst2-1', 'trec-0']
        >>> short_names(["first", "the-second"])
        ['first', 'the-second']
    """
    parts = [name.split("-") for name in names]
    if len(names) == 1 or len(set(map(len, parts))) > 1:
        return list(names)
    told_apart = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    return ["-".join(compress(each, told_apart)) for each in parts]


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    depth = 1
    parts = [folder.resolve().parts for folder in folders]
    while len({part[-depth:] for part in parts}) < len(set(parts)):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def _check_same(first: Run, other: Run, what: Same) -> None:
    a, b = (_identity(run, what) for run in (first, other))
    if a != b:
        raise InputError(
            f"{other.name}: expected a run with the same {what} as {first.name}, which has "
            f"{a}, got {b}."
        )


def _identity(run: Run, what: Same) -> str:
    task, base = run.task, run.file.meta["base"]
    labels = f"{task.kind} of {', '.join(task.labels) or 'a number'}"
    match what:
        case "base":
            return f"{base['name']} of digest {base['digest'][:12]}"
        case "labels":
            return f"the {labels}"
        case "label set":
            return f"the {task.kind} of {', '.join(sorted(task.labels)) or 'a number'}"
        case "task":
            return f"{task.name}, the {labels}"
