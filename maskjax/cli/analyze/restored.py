"""`maskjax analyze restored`: what the zeros of each block do."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.restored import study_restored
from maskjax.cli.analyze.arguments import StudyArguments


@dataclass(frozen=True, kw_only=True)
class RestoredArguments(StudyArguments):
    """Sets the zeros of one block after the other back to one and scores what is left of the mask.

    Attributes:
        split: The rows to score on; by default dev, or test where there is no dev.
        rows: Only so many of them, the first.
    """

    split: str | None = None
    rows: int | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze restored`.

    Args:
        arguments: The words after the study.

    Returns:
        The exit code.

    Raises:
        InputError: If the runs or their rows cannot be read, or they have no masks.
    """
    given = tyro.cli(RestoredArguments, args=arguments, prog="maskjax analyze restored")
    console = Console()
    study_restored(given.load(), given.out, console, split=given.split, rows=given.rows)
    return 0
