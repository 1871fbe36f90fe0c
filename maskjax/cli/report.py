"""`maskjax report`: any set of finished runs as one page that opens offline."""

from pathlib import Path
from typing import Annotated

import tyro

from maskjax.cli.common import refuse_existing
from maskjax.cli.show import show, show_progress
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.options import Overwrite


def report(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    out: Path,
    title: str = "Runs",
    figures: tuple[Path, ...] = (),
    overwrite: Overwrite = False,
) -> None:
    """Gathers scores, settings, curves and masks of runs into one HTML page that opens offline.

    Args:
        runs: Run folders, or folders of them, of any bases and tasks.
        out: The page, such as report.html.
        title: Stands above it.
        figures: Folders of studies, whose figures are shown as well.
    """
    from maskjax.analysis.report import report_page
    from maskjax.analysis.runs import load_runs
    from maskjax.taskfile import write_atomically

    require("maskjax report", "matplotlib", install="maskjax[analysis]")
    if not runs:
        raise InputError("expected at least one run folder.")
    refuse_existing(out, overwrite=overwrite)
    with show_progress():
        loaded = load_runs(runs)
    page = report_page(loaded, title, figures).encode()
    write_atomically(out, page)
    show(f"{out}: {len(page):,} bytes")
