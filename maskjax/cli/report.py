"""`maskjax report`: any set of finished runs as one page that opens offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from maskjax.analysis.report import report_page
from maskjax.analysis.runs import load_runs
from maskjax.cli.saved import refuse_existing
from maskjax.errors import InputError
from maskjax.taskfile import write_atomically


@dataclass(frozen=True, kw_only=True)
class ReportArguments:
    """Gathers scores, settings, curves and masks of runs into one HTML page that opens offline.

    Attributes:
        runs: Run folders, of any bases and tasks.
        out: The page, such as report.html.
        title: Stands above it.
        figures: Folders of studies, whose figures are shown as well.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    title: str = "Runs"
    figures: tuple[Path, ...] = ()


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax report`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If a run is missing or not finished, or the page exists already.
    """
    given = tyro.cli(ReportArguments, args=arguments, prog="maskjax report")
    if not given.runs:
        raise InputError("expected at least one run folder.")
    refuse_existing(given.out)
    page = report_page(load_runs(given.runs, same=()), given.title, given.figures).encode()
    write_atomically(given.out, page)
    line = f"{given.out}: {len(page):,} bytes"
    Console().print(line, highlight=False, markup=False, soft_wrap=True)
    return 0
