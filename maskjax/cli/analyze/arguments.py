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
