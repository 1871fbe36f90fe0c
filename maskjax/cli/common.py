"""What several commands on finished runs have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from maskjax.cli.show import show
from maskjax.errors import InputError
from maskjax.options import Offline, RunPath

if TYPE_CHECKING:
    from maskjax.inference import Predictor, SavedRun
    from maskjax.tasks import LoadedTask

ROWS = (1, 16)
"""Sequences of a group; fewer sizes than a server has, since each of them is compiled."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """A finished run on its base.

    Attributes:
        run: A run folder or a task file.
        base: Another place of the same base model.
        allow_base_mismatch: Accept a base with other weights, as long as the shapes fit, such as
            one that is finetuned already.
        offline: Never ask the network, use only what is stored locally.
    """

    run: RunPath
    base: str | None = None
    allow_base_mismatch: bool = False
    offline: Offline = False

    def load(self) -> "SavedRun":
        """Loads it to score or export it; what does not fit is an `InputError`."""
        from maskjax.inference import load_run

        return load_run(self.run, **self._place())

    def load_predictor(self) -> "Predictor":
        """Loads it to label rows; what does not fit is an `InputError`."""
        from maskjax.inference import load_predictor

        return load_predictor(self.run, **self._place(), rows=ROWS, cut_texts=False)

    def _place(self) -> dict[str, Any]:
        places = {"base": self.base, "offline": self.offline}
        return places | {"allow_base_mismatch": self.allow_base_mismatch}


OneRun = Annotated[RunOptions, tyro.conf.arg(name="")]


def refuse_existing(out: Path, *, overwrite: bool | None = None) -> None:
    """Refuses to write over a file; `overwrite` is None for commands without `--overwrite`."""
    if not out.exists() or (overwrite and out.is_file()):
        return
    remedy = "delete it" if overwrite is None or not out.is_file() else "give --overwrite"
    raise InputError(f"{out}: already exists; choose another --out, or {remedy}.")


def wanted_splits(data: "LoadedTask", split: str | None) -> list[str]:
    """The splits that a command is about."""
    from maskjax.tasks import split_name

    if split is None:
        return [name for name in data.splits if name != "train"] or list(data.splits)
    name = split_name(split)
    if name not in data.splits:
        raise InputError(f"--split: there is no {split!r}; there are {', '.join(data.splits)}.")
    return [name]


def show_notes(data: "LoadedTask") -> None:
    """Prints what people should know of the rows, such as how many are left out."""
    for note in data.notes:
        show(f"note: {note}", stderr=True)
