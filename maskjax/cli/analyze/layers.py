"""`maskjax analyze layers`: score and bytes of masks over some of the matrices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from maskjax.analysis.layer_sweep import ORDERS, Order, layer_plans, places_of, study_layers
from maskjax.cli.analyze.sweeping import SweepArguments, parse_sweep
from maskjax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LayersArguments(SweepArguments):
    """Trains masks over some blocks, or some kinds of matrices, and compares score and bytes.

    --config loads an experiment, a packaged one by name (tasks:sst2) or a file by its path
    (mine.py), and may be given once per task; every option below overrides one of its settings.

    Attributes:
        orders: `bottom-up` masks the first n blocks and `top-down` the last n; `only` masks one
            kind of matrix, and `all but` all others.
        every: Blocks that are added at a time.
    """

    orders: tuple[Order, ...] = ORDERS
    every: int = 1


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze layers`."""
    given = parse_sweep(LayersArguments, arguments, "maskjax analyze layers", Path("runs/layers"))
    first = given[0]
    if first.every < 1:
        raise InputError(f"--every: expected at least 1, got {first.every}.")
    plans = [
        plan
        for some in given
        for plan in layer_plans(some.run, places_of(some.run), first.orders, first.every)
    ]
    study_layers(plans, first.out, Console(), split=first.split)
    return 0
