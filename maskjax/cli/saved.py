"""What all commands on a finished run have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.errors import InputError
from maskjax.inference import TaskPredictor, load_predictor
from maskjax.tasks import LoadedTask, split_name


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


def refuse_existing(out: Path, *, overwrite: bool | None = None) -> None:
    """Refuses to write over a file.

    Args:
        out: What `--out` says.
        overwrite: What `--overwrite` says; None where the command has no such option.

    Raises:
        InputError: If it is there and is not to be replaced, or is a folder.
    """
    if not out.exists() or (overwrite and out.is_file()):
        return
    remedy = "delete it" if overwrite is None or not out.is_file() else "give --overwrite"
    raise InputError(f"{out}: already exists; choose another --out, or {remedy}.")


def wanted_splits(data: LoadedTask, split: str | None) -> list[str]:
    """The splits that a command is about."""
    if split is None:
        return [name for name in data.splits if name != "train"] or list(data.splits)
    name = split_name(split)
    if name not in data.splits:
        raise InputError(f"--split: there is no {split!r}; there are {', '.join(data.splits)}.")
    return [name]
