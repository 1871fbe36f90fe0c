"""`maskjax shrink`: a smaller task file out of a finished run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from maskjax.cli.saved import SavedRun, refuse_existing
from maskjax.cli.show import show
from maskjax.taskfile import save_task_file, shrink


@dataclass(frozen=True, kw_only=True)
class ShrinkArguments(SavedRun):
    """Makes a smaller task file, without training again: small weights are kept after all.

    Ask `maskjax evaluate` what that costs.

    Attributes:
        out: The new file, such as small.safetensors.
        zeros: The share of the zeros that stay, those of the largest weights relative to the mean
            of their matrix.
        overwrite: Replace the file if it exists, once the new one is written whole.
    """

    out: Path
    zeros: float = 0.5
    overwrite: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax shrink`."""
    given = tyro.cli(ShrinkArguments, args=arguments, prog="maskjax shrink")
    refuse_existing(given.out, overwrite=given.overwrite)
    predictor = given.load()
    small = shrink(predictor.file, predictor.weights, given.zeros)
    size = save_task_file(given.out, small)
    zeros = [sum(mask.zeros for mask in file.masks.values()) for file in (predictor.file, small)]
    line = f"{given.out}: {size:,} bytes, {zeros[1]:,} of {zeros[0]:,} zeros"
    show(line)
    return 0
