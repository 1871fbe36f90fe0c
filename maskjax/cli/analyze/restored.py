"""`maskjax analyze restored`: what the zeros of each block do."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.zero_ablation import study_restored
from maskjax.cli.analyze.arguments import RowsArguments


@dataclass(frozen=True, kw_only=True)
class RestoredArguments(RowsArguments):
    """Sets the zeros of one block after the other back to one and scores what is left."""


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze restored`."""
    given = tyro.cli(RestoredArguments, args=arguments, prog="maskjax analyze restored")
    console = Console()
    study_restored(given.load(masked=True), given.out, console, split=given.split, rows=given.rows)
    return 0
