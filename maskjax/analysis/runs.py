"""Finished runs, loaded on one copy of their base and checked to be comparable."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.inference import TaskPredictor, load_predictor
from maskjax.masking import PackedMask
from maskjax.models import load_base
from maskjax.tasks import Split, load_task

Same = Literal["base", "labels", "task"]
RESULT_FILE = "result.json"


class Run(NamedTuple):
    """A finished run.

    Attributes:
        name: Of its folder, with as many parents as it takes to be the only one of its name.
        predictor: Its base with the task merged in.
    """

    name: str
    predictor: TaskPredictor

    @property
    def masks(self) -> dict[str, PackedMask]:
        """Its masks by path; empty for other methods."""
        return self.predictor.file.masks

    @property
    def method(self) -> str:
        """How it was adapted."""
        return self.predictor.config.adaptation.method

    @property
    def seed(self) -> int:
        """Of its training."""
        return self.predictor.config.train.seed

    def split(self, name: str, rows: int | None = None) -> Split:
        """The first rows of a split of its task, by default all.

        Raises:
            InputError: If the rows cannot be read, or there is no such split.
        """
        config = self.predictor.config
        data = load_task(config.task, offline=config.model.offline)
        if name not in data.splits:
            raise InputError(f"{self.name}: no split {name!r}; there are {', '.join(data.splits)}.")
        split = data.splits[name]
        return split if rows is None else split.take(np.arange(min(rows, len(split.texts))))


def load_runs(
    folders: Sequence[Path], *, same: Sequence[Same] = ("base",), offline: bool = False
) -> list[Run]:
    """Loads runs that are to be compared.

    Args:
        folders: Run folders.
        same: What must not differ: the weights of the base, the labels, or the whole task.
        offline: Never ask the network.

    Returns:
        The runs, in order.

    Raises:
        InputError: If a run is missing or not finished, or runs differ in what must be the same;
            it says in what.
    """
    for folder in folders:
        _check_finished(folder)
    load = cache(load_base)
    predictors = [load_predictor(folder, offline=offline, load=load) for folder in folders]
    runs = [Run(*pair) for pair in zip(_names(folders), predictors, strict=True)]
    for what in same:
        _check_same(runs, what)
    return runs


def _check_finished(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder.")
    if not (folder / RESULT_FILE).is_file():
        raise InputError(
            f"{folder}: the run is not finished, it has no {RESULT_FILE}; the command that began "
            "it goes on with it."
        )


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    depth = 1
    parts = [folder.resolve().parts for folder in folders]
    while len({part[-depth:] for part in parts}) < len(set(parts)):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def _check_same(runs: Iterable[Run], what: Same) -> None:
    first, *others = runs
    for other in others:
        a, b = (_identity(run, what) for run in (first, other))
        if a != b:
            raise InputError(
                f"{other.name}: expected a run with the same {what} as {first.name}, which has "
                f"{a}, got {b}."
            )


def _identity(run: Run, what: Same) -> str:
    task, base = run.predictor.task, run.predictor.file.meta["base"]
    match what:
        case "base":
            return f"{base['name']} of digest {base['digest'][:12]}"
        case "labels":
            return f"the {task.kind} of {', '.join(task.labels) or 'a number'}"
        case "task":
            return f"{task.name}, the {task.kind} of {', '.join(task.labels) or 'a number'}"
