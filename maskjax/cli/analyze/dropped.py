"""`maskjax analyze dropped`: what masks dropped, of which heads and neurons."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.dropped import study_dropped
from maskjax.cli.analyze.arguments import StudyArguments
from maskjax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DroppedArguments(StudyArguments):
    """Shows what masks dropped, by block, kind of matrix, head and neuron.

    With it comes how many of the zeros are among as many smallest weights of their matrix,
    against zeros drawn at random.

    Attributes:
        dead: A head, neuron, row or column is called dead that lost this share of its weights.
    """

    dead: float = 1.0


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze dropped`."""
    given = tyro.cli(DroppedArguments, args=arguments, prog="maskjax analyze dropped")
    if not 0 < given.dead <= 1:
        raise InputError(f"--dead: expected a share in (0, 1], got {given.dead}.")
    study_dropped(given.load(masked=True), given.out, Console(), dead=given.dead)
    return 0
