"""`maskjax report`: any set of finished runs as one page that opens offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.analysis.report import report_page
from maskjax.analysis.runs import load_runs
from maskjax.cli.find import finished_runs
from maskjax.cli.saved import refuse_existing
from maskjax.cli.show import show, show_progress
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.taskfile import write_atomically


@dataclass(frozen=True, kw_only=True)
class ReportArguments:
    """Gathers scores, settings, curves and masks of runs into one HTML page that opens offline.

    Attributes:
        runs: Run folders, or folders of them, of any bases and tasks.
        out: The page, such as report.html.
        title: Stands above it.
        figures: Folders of studies, whose figures are shown as well.
        overwrite: Replace the file if it exists, once the new one is written whole.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    title: str = "Runs"
    figures: tuple[Path, ...] = ()
    overwrite: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax report`."""
    given = tyro.cli(ReportArguments, args=arguments, prog="maskjax report")
    require("maskjax report", "matplotlib", install="maskjax[analysis]")
    if not given.runs:
        raise InputError("expected at least one run folder.")
    refuse_existing(given.out, overwrite=given.overwrite)
    with show_progress():
        runs = load_runs(finished_runs(given.runs), same=())
    page = report_page(runs, given.title, given.figures).encode()
    write_atomically(given.out, page)
    line = f"{given.out}: {len(page):,} bytes"
    show(line)
    return 0
