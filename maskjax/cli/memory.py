"""`maskjax memory`: what many tasks on one base take, measured and drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from maskjax.cli.show import show, show_progress
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.options import Offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from maskjax.analysis.footprint import Footprint

NAMES = {"mask": "masks", "lora": "LoRA adapters, r = 8", "finetune": "finetuned copies"}


def memory(
    *,
    base: str = "minilm",
    tasks: tuple[int, ...] = (1, 2, 4, 8, 16, 32),
    out: Path = Path("memory"),
    revision: str | None = None,
    offline: Offline = False,
) -> None:
    """Measures what masks, adapters and finetuned copies take in addition to their base.

    It loads the base three times, holds as many tasks of each kind as it is asked for, and reads
    what the device has given away. Numbers that do not fit are left out.

    Args:
        base: `minilm`, a local folder or a Hub id.
        tasks: Numbers of tasks.
        out: The name of the figure, without an extension; it gets .svg, .png and .csv.
        revision: Branch, tag or commit of the base on the Hub.
    """
    if list(tasks) != sorted({n for n in tasks if n >= 1}) or not tasks:
        raise InputError(f"--tasks: expected ascending numbers from 1, got {tasks}.")
    require("maskjax memory", "psutil", "matplotlib", install="maskjax[analysis]")
    from pandas import DataFrame

    from maskjax.analysis.figures import save_figure
    from maskjax.analysis.footprint import measure_footprints

    console = Console()
    found = []
    with show_progress():
        for one in measure_footprints(base, tasks, revision=revision, offline=offline):
            console.print(f"{one.tasks:4} {NAMES[one.method]}: {one.bytes / 1e6:,.0f} MB")
            found.append(one)
    if not found:
        raise InputError("memory: there is no room for a single task; use a smaller --base.")
    console.print(_table(found, tasks))
    save_figure(_draw(found, base), out, DataFrame(found))
    show(", ".join(f"{out}.{end}" for end in ("svg", "png", "csv")))


def _table(found: "Sequence[Footprint]", counts: Sequence[int]) -> Table:
    table = Table("tasks", *NAMES.values(), title="MB, the base included")
    bytes_of = {(one.method, one.tasks): one.bytes for one in found}
    for count in counts:
        cells = (bytes_of.get((method, count)) for method in NAMES)
        table.add_row(str(count), *("" if b is None else f"{b / 1e6:,.1f}" for b in cells))
    return table


def _draw(found: "Sequence[Footprint]", base: str) -> "Figure":
    from maskjax.analysis.figures import look, new_figure

    with new_figure(3.4, 2.6) as figure:
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
