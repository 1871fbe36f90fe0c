"""What all studies are told, and how they are run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.analysis.runs import Run, Same, load_runs
from maskjax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class StudyArguments:
    """A study of finished runs.

    Attributes:
        runs: Run folders on one base.
        out: The folder of the figures and their numbers; a study that was stopped goes on there.
        offline: Never ask the network, use only what is stored locally.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    offline: bool = False

    def load(self, *same: Same, least: int = 1) -> list[Run]:
        """Loads the runs; those that cannot be compared are an `InputError`.

        Args:
            *same: What must not differ, beside the base.
            least: How many runs the study needs.
        """
        if len(self.runs) < least:
            folders = f"run folder{'s' * (least > 1)}"
            raise InputError(f"expected at least {least} {folders}, got {len(self.runs)}.")
        return load_runs(self.runs, same=("base", *same), offline=self.offline)


@dataclass(frozen=True, kw_only=True)
class RowsArguments(StudyArguments):
    """A study that scores runs on rows of their tasks.

    Attributes:
        split: The rows to score on; by default dev, or test where there is no dev.
        rows: Only so many of them, the first.
    """

    split: str | None = None
    rows: int | None = None


def check_least(**options: tuple[float, float]) -> None:
    """Refuses options that are too small.

    Args:
        **options: By name, the value and the least one that is allowed.

    Raises:
        InputError: If one is.

    Example:
        >>> check_least(points=(2, 3))
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: --points: expected at least 3, got 2.
    """
    for name, (value, least) in options.items():
        if not value >= least:
            raise InputError(f"--{name.replace('_', '-')}: expected at least {least}, got {value}.")
