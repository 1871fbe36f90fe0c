"""`maskjax memory`: what many tasks on one base take, measured and drawn."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from maskjax.analysis.figures import Frame, line_style, new_figure, save_figure
from maskjax.cli.show import show, show_progress
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.options import Offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"mask": "masks", "lora": "LoRA adapters, r = 8", "finetune": "finetuned copies"}


def memory(
    *,
    base: str = "minilm",
    tasks: tuple[int, ...] = (1, 2, 4, 8, 16, 32),
    out: Path = Path("memory"),
    revision: str | None = None,
    unshare: bool = False,
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
        unshare: Hold what is learned for each application of a shared block, as with
            `--model.unshare`.
    """
    if list(tasks) != sorted({n for n in tasks if n >= 1}) or not tasks:
        raise InputError(f"--tasks: expected ascending numbers from 1, got {tasks}.")
    require("maskjax memory", "psutil", "matplotlib", install="maskjax[analysis]")
    from pandas import DataFrame

    from maskjax.analysis.footprint import measure_footprints

    console = Console()
    footprints = []
    with show_progress():
        options = {"revision": revision, "unshare": unshare, "offline": offline}
        for footprint in measure_footprints(base, tasks, **options):
            console.print(
                f"{footprint.tasks:4} {NAMES[footprint.method]}: {footprint.bytes / 1e6:,.0f} MB"
            )
            footprints.append(footprint)
    if not footprints:
        raise InputError("memory: there is no room for a single task; use a smaller --base.")
    frame = DataFrame(footprints)
    megabytes = frame.pivot(index="tasks", columns="method", values="bytes") / 1e6
    console.print(_table(megabytes.reindex(index=tasks, columns=list(NAMES))))
    save_figure(_draw(megabytes, base), out, frame)
    show(", ".join(f"{out}.{end}" for end in ("svg", "png", "csv")))


def _table(megabytes: Frame) -> Table:
    table = Table("tasks", *NAMES.values(), title="MB, the base included")
    for count, row in megabytes.iterrows():
        table.add_row(str(count), *("" if isnan(size) else f"{size:,.1f}" for size in row))
    return table


def _draw(megabytes: Frame, base: str) -> "Figure":
    with new_figure(3.4, 2.6) as figure:
        axes = figure.subplots()
        for number, (method, name) in enumerate(NAMES.items()):
            if method in megabytes:
                sizes = megabytes[method].dropna()
                axes.plot(sizes.index, sizes, **line_style(number)._asdict(), label=name)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(f"tasks on one base ({base})")
        axes.set_ylabel("memory (MB)")
        axes.legend()
    return figure
