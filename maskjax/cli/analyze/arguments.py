"""The options of all studies, and how they are run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from maskjax.analysis.runs import Run, Same, check_same, is_masked, load_runs
from maskjax.cli.find import finished_runs, print_left_out
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.taskfile import LeftOut


@dataclass(frozen=True, kw_only=True)
class StudyArguments:
    """A study of finished runs.

    Attributes:
        runs: Run folders on one base, or folders of them.
        out: The folder of the figures and their numbers; a study that was stopped resumes there.
        offline: Never ask the network, use only what is stored locally.
    """

    NEEDS: ClassVar[tuple[str, ...]] = ("matplotlib",)
    """Modules of the extra `analysis` that the study imports."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    offline: bool = False

    def load(self, *same: Same, least: int = 1, masked: bool = False) -> list[Run]:
        """Loads the runs; those that cannot be compared are an `InputError`."""
        require("maskjax analyze", *self.NEEDS, install="maskjax[analysis]")
        runs = load_runs(finished_runs(self.runs), same=(), offline=self.offline)
        if masked:
            runs = _only_masked(runs)
        if len(runs) < least:
            raise InputError(f"expected at least {least} run{'s' * (least > 1)}, got {len(runs)}.")
        check_same(runs, ("base", *same))
        return runs


def _only_masked(runs: Sequence[Run]) -> list[Run]:
    masked = [run for run in runs if is_masked(run)]
    reason = "expected a run with masks over its base, got one of {}"
    others = [LeftOut(run.folder, reason.format(run.method)) for run in runs if run not in masked]
    print_left_out(others, kept=len(masked))
    return masked


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

    Example:
        >>> check_least(points=(2, 3))
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: --points: expected at least 3, got 2.
    """
    for name, (value, least) in options.items():
        if not value >= least:
            raise InputError(f"--{name.replace('_', '-')}: expected at least {least}, got {value}.")
