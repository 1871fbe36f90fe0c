"""`maskjax analyze representations`: [CLS] vectors of runs and of their base."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import tyro
from rich.console import Console

from maskjax.analysis.representations import study_representations
from maskjax.cli.analyze.arguments import StudyArguments


@dataclass(frozen=True, kw_only=True)
class RepresentationsArguments(StudyArguments):
    """Compares the [CLS] vectors of runs of one task with each other and with those of the base.

    Draws them by PCA and t-SNE, with the accuracy of a linear probe (logistic regression on the
    vectors, five folds) and linear CKA between models.

    Attributes:
        split: The rows; by default dev, or test where there is no dev.
        rows: Only so many of them, the first.
        layer: The number of blocks below: 0 for the embeddings; by default the last block.
    """

    NEEDS: ClassVar[tuple[str, ...]] = ("matplotlib",)

    split: str | None = None
    rows: int = 1000
    layer: int | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze representations`."""
    prog = "maskjax analyze representations"
    given = tyro.cli(RepresentationsArguments, args=arguments, prog=prog)
    study_representations(
        given.load("task"),
        given.out,
        Console(),
        split=given.split,
        rows=given.rows,
        layer=given.layer,
    )
    return 0
