"""`maskjax analyze transfer`: runs of one data set on the rows of others."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.transfer import study_transfer
from maskjax.cli.analyze.arguments import RowsArguments


@dataclass(frozen=True, kw_only=True)
class TransferArguments(RowsArguments):
    """Scores runs on the rows of each other's tasks, as the gain over the majority vote.

    The tasks have the same labels, in any order, such as glue/rte and glue/qnli.
    """


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze transfer`."""
    given = tyro.cli(TransferArguments, args=arguments, prog="maskjax analyze transfer")
    runs, console = given.load("label set"), Console()
    study_transfer(runs, given.out, console, split=given.split, rows=given.rows)
    return 0
