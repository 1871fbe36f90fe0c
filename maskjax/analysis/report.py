"""One page of any set of finished runs: tables, curves, what their masks dropped."""

import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskjax.analysis.figures import new_figure, styled
from maskjax.analysis.heatmap import draw_heat_map, grid_of, mean_grid, place_of
from maskjax.analysis.page import figure_html, page_html, table_html
from maskjax.analysis.runs import Run
from maskjax.analysis.training_curves import draw_curves, read_curves
from maskjax.config import flat_settings
from maskjax.errors import InputError
from maskjax.masking.packed import count_packed
from maskjax.taskfile import TASK_FILE
from maskjax.training.run_dir import read_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPS_A_LINE = 2


def report_page(runs: Sequence[Run], title: str = "Runs", figures: Sequence[Path] = ()) -> str:
    """Gathers runs into one page."""
    sections = [
        ("Scores and sizes", _results(runs)),
        *_settings(runs),
        *_curves(runs),
        *_masks(runs),
        *chain.from_iterable(map(_studies, figures)),
    ]
    bases = dict.fromkeys(run.file.meta["base"]["name"] for run in runs)
    tasks = dict.fromkeys(run.task.name for run in runs)
    count = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    note = f"{count}; tasks: {', '.join(tasks)}; bases: {', '.join(bases)}"
    return page_html(title, note, sections)


def differing_settings(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The settings in which runs differ."""
    flat = [dict(flat_settings(run.file.meta["config"])) for run in runs]
    names = dict.fromkeys(chain.from_iterable(flat))
    spelled = {name: [_spell(settings.get(name)) for settings in flat] for name in names}
    return {name: values for name, values in spelled.items() if len(set(values)) > 1}


def draw_masks(runs: Sequence[Run]) -> "Figure":
    """Draws the sparsity of each run by block and matrix type, all shaded alike."""
    from pandas import DataFrame

    grid = grid_of(chain.from_iterable(run.masks for run in runs))
    panels = [100 * mean_grid(DataFrame(_counts(run)), grid, "sparsity") for run in runs]
    high = max(float(np.nanmax(panel)) for panel in panels)
    lines, columns = -(-len(runs) // MAPS_A_LINE), min(len(runs), MAPS_A_LINE)
    with new_figure(3.5 * columns, (1.0 + 0.2 * len(grid[0])) * lines) as figure:
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for one, run, panel in zip(axes, runs, panels, strict=False):
            draw_heat_map(one, panel, title=run.name, form=".1f", low=0, high=high)
            one.set_ylabel("block", fontsize=8)
        for one in axes[len(runs) :]:
            one.set_visible(False)
    return figure


def _results(runs: Sequence[Run]) -> str:
    results = [read_result(run.folder) for run in runs]
    splits = dict.fromkeys(chain.from_iterable(run.file.meta["scores"] for run in runs))
    head = ["run", "task", "method", "seed", "metric", *splits, "zeros", "bytes", "seconds"]
    rows = []
    for run, result in zip(runs, results, strict=True):
        scores = run.file.meta["scores"]
        counts = count_packed(run.masks).values()
        zeros, weights = sum(c.zeros for c in counts), sum(c.total for c in counts)
        rows.append(
            [
                run.name,
                run.task.name,
                run.method,
                str(run.seed),
                run.task.metric,
                *(f"{scores[split]:.4f}" if split in scores else "" for split in splits),
                f"{zeros / weights:.2%}" if weights else "",
                f"{(run.folder / TASK_FILE).stat().st_size:,}",
                f"{result['seconds']:,.0f}" if "seconds" in result else "",
            ]
        )
    return table_html(head, rows)


def _settings(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    differing = differing_settings(runs)
    if differing:
        columns = zip(*differing.values(), strict=True)
        rows = [[run.name, *values] for run, values in zip(runs, columns, strict=True)]
        yield "Settings that differ", table_html(["run", *differing], rows)


def _curves(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    found = {run.name: read_curves(run.folder) for run in runs}
    curves = {name: own for name, own in found.items() if own}
    if curves:
        caption = "Loss on the training rows, score on the selection split, and zeros, by step."
        yield "Training", figure_html(_svg(draw_curves(curves)), caption)


def _masks(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    masked = [run for run in runs if run.masks]
    if masked:
        caption = "Weights dropped (%), by block and matrix type; one scale for all runs."
        yield "What the masks dropped", figure_html(_svg(draw_masks(masked)), caption)


def _studies(folder: Path) -> Iterator[tuple[str, str]]:
    files = sorted(folder.glob("*.svg"))
    if not files:
        raise InputError(f"--figures: {folder}: expected a folder with .svg files, found none.")
    figures = (figure_html(file.read_bytes(), file.stem) for file in files)
    yield folder.resolve().name, "\n".join(figures)


def _counts(run: Run) -> Iterator[dict[str, Any]]:
    for path, count in count_packed(run.masks).items():
        block, matrix_type = place_of(path)
        yield {"block": block, "matrix_type": matrix_type, "sparsity": count.sparsity}


def _svg(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _spell(value: Any) -> str:
    """A setting as people write it; lists are tuples before they are saved, and none is a dash."""
    if value is None or value in ([], ()):
        return "–"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
