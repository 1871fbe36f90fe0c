"""`maskjax memory`: what many tasks on one base take, measured and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console
from rich.table import Table

from maskjax.analysis.figures import look, save_figure, styled
from maskjax.cli.show import show_progress
from maskjax.errors import InputError
from maskjax.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from maskjax.analysis.footprint import Footprint

NAMES = {"mask": "masks", "lora": "LoRA adapters, r = 8", "finetune": "finetuned copies"}


@dataclass(frozen=True, kw_only=True)
class MemoryArguments:
    """Measures what masks, adapters and finetuned copies take in addition to their base.

    It loads the base three times, holds as many tasks of each kind as it is asked for, and reads
    what the device has given away. Numbers that do not fit are left out.

    Attributes:
        base: `minilm`, a local folder or a Hub id.
        tasks: Numbers of tasks.
        out: The name of the figure, without an extension; it gets .svg, .png and .csv.
        revision: Branch, tag or commit of the base on the Hub.
        offline: Never ask the network, use only what is stored locally.
    """

    base: str = "minilm"
    tasks: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    out: Path = Path("memory")
    revision: str | None = None
    offline: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax memory`."""
    given = tyro.cli(MemoryArguments, args=arguments, prog="maskjax memory")
    if list(given.tasks) != sorted({n for n in given.tasks if n >= 1}) or not given.tasks:
        raise InputError(f"--tasks: expected ascending numbers from 1, got {given.tasks}.")
    require("maskjax memory", "psutil", "matplotlib", install="maskjax[analysis]")
    from maskjax.analysis.footprint import measure_footprints

    console = Console()
    found = []
    options = {"revision": given.revision, "offline": given.offline}
    with show_progress():
        for one in measure_footprints(given.base, given.tasks, **options):
            console.print(f"{one.tasks:4} {NAMES[one.method]}: {one.bytes / 1e6:,.0f} MB")
            found.append(one)
    if not found:
        raise InputError("memory: there is no room for a single task; use a smaller --base.")
    console.print(_table(found, given.tasks))
    with styled():
        files = save_figure(_draw(found, given.base), given.out, [one._asdict() for one in found])
    console.print(", ".join(map(str, files)), highlight=False, markup=False, soft_wrap=True)
    return 0


def _table(found: "Sequence[Footprint]", counts: Sequence[int]) -> Table:
    table = Table("tasks", *NAMES.values(), title="MB, the base included")
    bytes_of = {(one.method, one.tasks): one.bytes for one in found}
    for count in counts:
        cells = (bytes_of.get((method, count)) for method in NAMES)
        table.add_row(str(count), *("" if b is None else f"{b / 1e6:,.1f}" for b in cells))
    return table


def _draw(found: "Sequence[Footprint]", base: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4, 2.6))
    axes = figure.subplots()
    for number, (method, name) in enumerate(NAMES.items()):
        points = [(one.tasks, one.bytes / 1e6) for one in found if one.method == method]
        if points:
            axes.plot(*zip(*points, strict=True), **look(number)._asdict(), label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(f"tasks on one base ({base})")
    axes.set_ylabel("memory (MB)")
    axes.legend()
    return figure
