"""`maskjax analyze sparsity`: score against the fraction of zeros that masks start with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from maskjax.analysis.sparsity_sweep import (
    MASKS,
    SPARSITIES,
    DroppingInit,
    Masks,
    sparsity_plans,
    study_sparsity,
)
from maskjax.cli.analyze.sweeping import SweepArguments, parse_sweep


@dataclass(frozen=True, kw_only=True)
class SparsityArguments(SweepArguments):
    """Trains masks from several sparsities on, and heads over masks that nothing learned.

    --config loads an experiment, a packaged one by name (tasks:sst2) or a file by its path
    (mine.py), and may be given once per task; every option below overrides one of its settings.

    Attributes:
        sparsities: Fractions of zeros that masks start with.
        masks: `learned`, and controls that only train the head: `magnitude` drops the smallest
            weights of each matrix, `random` any.
        initializer: How the scores of learned masks start.
    """

    sparsities: tuple[float, ...] = SPARSITIES
    masks: tuple[Masks, ...] = MASKS
    initializer: DroppingInit = "uniform"


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze sparsity`."""
    out = Path("runs/sparsity")
    given = parse_sweep(SparsityArguments, arguments, "maskjax analyze sparsity", out)
    first = given[0]
    configs = [some.run for some in given]
    plans = sparsity_plans(configs, first.sparsities, first.masks, first.initializer)
    study_sparsity(plans, first.out, Console(), split=first.split)
    return 0
