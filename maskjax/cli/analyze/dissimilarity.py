"""`maskjax analyze dissimilarity`: how far the masks of runs are apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console

from maskjax.analysis.dissimilarity import study_dissimilarity
from maskjax.cli.analyze.arguments import StudyArguments


@dataclass(frozen=True, kw_only=True)
class DissimilarityArguments(StudyArguments):
    """Compares the masks of every two runs, of any tasks, seeds and starts.

    Draws s between runs, and its mean by block and kind of matrix, with what independent masks of
    the same densities would give.
    """


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze dissimilarity`."""
    prog = "maskjax analyze dissimilarity"
    given = tyro.cli(DissimilarityArguments, args=arguments, prog=prog)
    study_dissimilarity(given.load(least=2, masked=True), given.out, Console())
    return 0
