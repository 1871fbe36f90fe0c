"""`maskjax evaluate`, and what all commands on a finished run have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table as RichTable

from maskjax.errors import InputError
from maskjax.inference import TaskPredictor, load_predictor
from maskjax.tasks import LoadedTask


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """A finished run on its base.

    Attributes:
        run: A run folder or a task file.
        base: Another place of the same base model.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit, such as
            one that is finetuned already.
        offline: Never ask the network, use only what is stored locally.
    """

    run: Annotated[Path, tyro.conf.Positional]
    base: str | None = None
    allow_base_mismatch: bool = False
    offline: bool = False

    def load(self) -> TaskPredictor:
        """Loads it; what does not fit is an `InputError`."""
        return load_predictor(
            self.run,
            base=self.base,
            allow_base_mismatch=self.allow_base_mismatch,
            offline=self.offline,
        )


@dataclass(frozen=True, kw_only=True)
class EvaluateArguments(SavedRun):
    """Scores a finished run on the splits of its task.

    Attributes:
        split: Only this split; by default all but the training rows.
        path: Another folder of rows than the one that the run was trained on.
    """

    split: str | None = None
    path: str | None = None


def evaluate_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax evaluate`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the run, its base or its rows cannot be read.
    """
    given = tyro.cli(EvaluateArguments, args=arguments, prog="maskjax evaluate")
    predictor = given.load()
    data = predictor.load_rows(given.path)
    table = RichTable("split", "rows", predictor.task.metric, title=str(given.run))
    for name in wanted_splits(data, given.split):
        split = data.splits[name]
        table.add_row(name, f"{len(split.texts):,}", f"{predictor.score(split):.4f}")
    Console().print(table)
    return 0


def refuse_existing(out: Path) -> None:
    """Refuses to write over a file.

    Args:
        out: What `--out` says.

    Raises:
        InputError: If it is there.
    """
    if out.exists():
        raise InputError(f"{out}: already exists; choose another --out, or delete it.")


def wanted_splits(data: LoadedTask, split: str | None) -> list[str]:
    """The splits that a command is about.

    Args:
        data: The task and its rows.
        split: What `--split` says; None means all but the training rows.

    Returns:
        Names of splits.

    Raises:
        InputError: If there is no such split.
    """
    if split is None:
        return [name for name in data.splits if name != "train"]
    if split not in data.splits:
        raise InputError(f"--split: there is no {split!r}; there are {', '.join(data.splits)}.")
    return [split]
