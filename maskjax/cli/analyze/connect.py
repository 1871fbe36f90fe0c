"""`maskjax analyze connect`: loss and score along curves between runs of one task."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.connect import study_connectivity
from maskjax.analysis.curve_evaluation import Walk
from maskjax.analysis.interpolation import CurveName
from maskjax.cli.analyze.arguments import StudyArguments, check_least
from maskjax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ConnectArguments(StudyArguments):
    """Walks between every two runs of one task and measures the barriers between them.

    Several seeds of a method, or of two, give a band for each pair of methods. Rows, lengths and
    precision are those of the first run.

    Attributes:
        curves: `line` is straight; the bends of `bezier` and `chain` are trained.
        points: The number of points of a curve, both ends included.
        rows: The first so many rows of each split.
        split: The split to score in addition to train.
        steps: Training steps of each bend, on all training rows.
        learning_rate: The highest one of a bend's training.
    """

    curves: tuple[CurveName, ...] = ("line",)
    points: int = 25
    rows: int = 1000
    split: str = "dev"
    steps: int = 300
    learning_rate: float = 1e-4


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze connect`."""
    given = tyro.cli(ConnectArguments, args=arguments, prog="maskjax analyze connect")
    _check(given)
    walk = Walk(
        points=given.points,
        rows=given.rows,
        split=given.split,
        steps=given.steps,
        learning_rate=given.learning_rate,
    )
    curves = tuple(dict.fromkeys(given.curves))
    study_connectivity(given.load("task", least=2), given.out, Console(), curves=curves, walk=walk)
    return 0


def _check(given: ConnectArguments) -> None:
    if not given.curves:
        raise InputError("--curves: expected some of line, bezier and chain, got none.")
    check_least(points=(given.points, 3), rows=(given.rows, 1), steps=(given.steps, 1))
    if given.split == "train":
        raise InputError("--split: expected a split other than train, such as dev or test.")
    if given.learning_rate <= 0:
        raise InputError(f"--learning-rate: expected more than 0, got {given.learning_rate}.")
