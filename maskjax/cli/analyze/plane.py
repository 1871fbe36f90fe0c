"""`maskjax analyze plane`: loss and score on the plane through three runs of one task."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.plane import study_plane
from maskjax.cli.analyze.arguments import StudyArguments, check_least
from maskjax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PlaneArguments(StudyArguments):
    """Draws loss and score on the plane through three runs of one task.

    Rows, lengths and precision are those of the first run.

    Attributes:
        points: In each direction of the grid.
        rows: The first so many rows of the split.
        split: The split to score.
        margin: How far the grid goes beyond the runs, as a share of their extent.
    """

    points: int = 15
    rows: int = 500
    split: str = "dev"
    margin: float = 0.3


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze plane`."""
    given = tyro.cli(PlaneArguments, args=arguments, prog="maskjax analyze plane")
    check_least(points=(given.points, 2), rows=(given.rows, 1), margin=(given.margin, 0))
    runs = given.load("task")
    if len(runs) != 3:
        raise InputError(f"expected three runs, got {len(runs)}.")
    study_plane(
        runs,
        given.out,
        Console(),
        points=given.points,
        rows=given.rows,
        split=given.split,
        margin=given.margin,
    )
    return 0
