"""What masks dropped: by block, matrix type, head and neuron, and against magnitude."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from maskjax.analysis.captions import runs_text
from maskjax.analysis.dead_units import (
    head_shares,
    magnitude_overlap,
    neuron_shares,
    spread_along,
    zeros_along,
)
from maskjax.analysis.figures import Frame, caption, line_style, new_figure, save_figure
from maskjax.analysis.heatmap import Grid, draw_heat_map, grid_of, mean_grid, place_of
from maskjax.errors import InputError
from maskjax.options import Offline, RunFolders, StudyFolder
from maskjax.progress import tracked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from maskjax.analysis.runs import Run

QUANTILES = {"1 %": 0.01, "median": 0.5, "99 %": 0.99}
"""The quantiles of the neurons' share of zeros that are drawn for each block."""
NORMAL_99 = 2.326
"""A normal number is this many deviations below the mean once in a hundred times, and above."""


def dropped(
    runs: RunFolders, *, out: StudyFolder, offline: Offline = False, dead: float = 1.0
) -> None:
    """Shows what masks dropped, by block, matrix type, head and neuron.

    With it comes how many of the zeros are among as many smallest weights of their matrix,
    against zeros drawn at random.

    Args:
        dead: A head, neuron, row or column is called dead that lost this share of its weights.
    """
    from pandas import DataFrame

    from maskjax.analysis.runs import study_runs

    if not 0 < dead <= 1:
        raise InputError(f"--dead: expected a share in (0, 1], got {dead}.")
    loaded, console = study_runs(runs, offline=offline, masked=True), Console()
    console.print(f"{len(loaded)} runs, no forward passes", highlight=False)
    read = tracked(loaded, "reading", "runs")
    matrices = DataFrame([row for run in read for row in matrix_rows(run, dead)])
    heads = DataFrame([row for run in loaded for row in head_rows(run)])
    neurons = DataFrame([row for run in loaded for row in neuron_rows(run)])
    console.print(_table(matrices, heads, neurons, dead))
    note, grid = runs_text([run.seed for run in loaded]), grid_of(loaded[0].masks)
    save_figure(draw_matrices(matrices, grid, note), out / "dropped-blocks", matrices)
    if len(heads):
        save_figure(draw_heads(heads, note), out / "dropped-heads", heads)
    if len(neurons):
        save_figure(draw_neurons(neurons, note), out / "dropped-neurons", neurons)


def matrix_rows(run: "Run", dead: float) -> Iterator[dict[str, Any]]:
    """What a run dropped of each matrix."""
    weights = run.saved.weights
    for path, packed in run.masks.items():
        mask = packed.unpack()
        if mask.ndim != 2:
            continue
        overlap = magnitude_overlap(mask, np.asarray(weights[path]))
        block, matrix_type = place_of(path)
        yield {
            "run": run.name,
            "block": block,
            "matrix_type": matrix_type,
            "weights": overlap.total,
            "zeros": overlap.zeros,
            "sparsity": overlap.chance,
            "shared_with_magnitude": overlap.shared,
            "overlap": overlap.share,
            "overlap_by_chance": overlap.ratio,
            "dead_rows": int((zeros_along(mask, 0) >= dead).sum()),
            "dead_columns": int((zeros_along(mask, 1) >= dead).sum()),
            "spread_of_rows": spread_along(mask, 0),
            "spread_of_columns": spread_along(mask, 1),
        }


def head_rows(run: "Run") -> Iterator[dict[str, Any]]:
    """What a run dropped of each attention head, a line each."""
    encoder = run.saved.base.config
    by_block = head_shares(run.masks, encoder.num_heads, encoder.num_kv_heads)
    for block, shares in by_block.items():
        for head, share in enumerate(shares):
            yield {"run": run.name, "block": block, "head": head, "sparsity": float(share)}


def neuron_rows(run: "Run") -> Iterator[dict[str, Any]]:
    """What a run dropped of each neuron, a line each."""
    for block, neurons in neuron_shares(run.masks).items():
        for neuron, share in enumerate(neurons.shares):
            yield {
                "run": run.name,
                "block": block,
                "neuron": neuron,
                "sparsity": float(share),
                "chance_deviation": neurons.deviation,
            }


def draw_matrices(frame: Frame, grid: Grid, note: str) -> "Figure":
    """Draws sparsity and overlap with magnitude by block and matrix type, as means over runs."""
    with new_figure(7, 1.3 + 0.2 * len(grid[0])) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        zeros = 100 * mean_grid(frame, grid, "sparsity")
        draw_heat_map(left, zeros, title="weights dropped (%)", form=".1f", low=0)
        title = "overlap with smallest |W| / chance"
        overlap = mean_grid(frame, grid, "overlap_by_chance")
        draw_heat_map(right, overlap, title=title, form=".2f", low=0)
        left.set_ylabel("block", fontsize=8)
        caption(figure, f"mean over {note}")
    return figure


def draw_heads(frame: Frame, note: str) -> "Figure":
    """Draws the sparsity of each head of each block, as means over runs."""
    values = 100 * frame.pivot_table("sparsity", "block", "head").sort_index(
        key=lambda block: block.astype(int)
    )
    with new_figure(4.5, 1.1 + 0.22 * len(values)) as figure:
        axes = figure.subplots()
        draw_heat_map(axes, values, title="weights of a head dropped (%)", form=".1f")
        axes.set_xlabel("head", fontsize=8)
        axes.set_ylabel("block", fontsize=8)
        caption(figure, f"query, key, value, attention output; mean over {note}")
    return figure


def draw_neurons(frame: Frame, note: str) -> "Figure":
    """Draws how many weights the neurons of a block lost, and how many chance would drop."""
    blocks = frame.assign(block=frame["block"].astype(int)).groupby("block")
    mean = blocks["sparsity"].mean()
    error = blocks["chance_deviation"].agg(lambda own: np.sqrt(np.mean(np.square(own))))
    with new_figure(4.5, 2.8) as figure:
        axes = figure.subplots()
        low, high = 100 * (mean - NORMAL_99 * error), 100 * (mean + NORMAL_99 * error)
        label = "1 % to 99 %, independent zeros"
        axes.fill_between(mean.index, low, high, color="#BBBBBB", linewidth=0, label=label)
        for number, (name, share) in enumerate(QUANTILES.items()):
            values = 100 * blocks["sparsity"].quantile(share)
            axes.plot(
                mean.index, values, label=f"{name} of neurons", **line_style(number)._asdict()
            )
        axes.set_xticks(mean.index)
        axes.set_xlabel("block")
        axes.set_ylabel("weights of a neuron dropped (%)", fontsize=8)
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside upper center", ncols=2, fontsize=7)
        caption(figure, f"neurons of {note}")
    return figure


def _table(matrices: Frame, heads: Frame, neurons: Frame, dead: float) -> Table:
    names = ("dropped", "overlap", "by chance", "dead heads", "dead neurons")
    title = f"dead: at least {dead:.0%} of the weights dropped"
    table = Table(Column("run", overflow="fold"), *names, title=title)
    for run, own in matrices.groupby("run", sort=False):
        zeros = own["zeros"].sum()
        expected = (own["zeros"] * own["sparsity"]).sum()
        table.add_row(
            str(run),
            f"{zeros / own['weights'].sum():.2%}",
            f"{own['shared_with_magnitude'].sum() / max(zeros, 1):.2%}",
            f"{expected / max(zeros, 1):.2%}",
            *(_dead(units, run, dead) for units in (heads, neurons)),
        )
    return table


def _dead(units: Frame, run: Any, dead: float) -> str:
    """How many heads or neurons of a run are dead, of how many; there may be none of any run."""
    own = units[units["run"] == run] if len(units) else units
    return f"{(own['sparsity'] >= dead).sum() if len(own) else 0} of {len(own):,}"
