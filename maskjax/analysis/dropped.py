"""What masks dropped: by block, kind, head and neuron, and against magnitude."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from maskjax.analysis.dead_units import (
    head_shares,
    magnitude_overlap,
    neuron_shares,
    spread_along,
    zeros_along,
)
from maskjax.analysis.figures import Row, look, save_figure, styled
from maskjax.analysis.heatmap import caption, draw_heat_map, grid_of, mean_grid, place_of
from maskjax.analysis.runs import Run, check_masked, runs_text
from maskjax.progress import tracked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTILES = {"1 %": 0.01, "median": 0.5, "99 %": 0.99}
"""The quantiles of the neurons' share of zeros that are drawn for each block."""
NORMAL_99 = 2.326
"""A normal number is this many deviations below the mean once in a hundred times, and above."""


def study_dropped(
    runs: Sequence[Run], out: Path, console: Console, *, dead: float = 1.0
) -> tuple[Path, ...]:
    """Counts what masks dropped."""
    for run in runs:
        check_masked(run)
    console.print(f"{len(runs)} runs, no forward passes", highlight=False)
    matrices = [row for run in tracked(runs, "reading", "runs") for row in matrix_rows(run, dead)]
    heads = [row for run in runs for row in head_rows(run)]
    neurons = [row for run in runs for row in neuron_rows(run)]
    console.print(_table(runs, matrices, heads, neurons, dead))
    note = runs_text(runs)
    files = save_figure(
        draw_matrices(matrices, grid_of(runs[0].masks), note), out / "dropped-blocks", matrices
    )
    if heads:
        files += save_figure(draw_heads(heads, note), out / "dropped-heads", heads)
    if neurons:
        files += save_figure(draw_neurons(neurons, note), out / "dropped-neurons", neurons)
    return files


def matrix_rows(run: Run, dead: float) -> Iterator[Row]:
    """What a run dropped of each matrix."""
    weights = run.predictor.weights
    for path, packed in run.masks.items():
        mask = packed.unpack()
        if mask.ndim != 2:
            continue
        overlap = magnitude_overlap(mask, np.asarray(weights[path]))
        block, kind = place_of(path)
        yield {
            "run": run.name,
            "block": block,
            "kind": kind,
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


def head_rows(run: Run) -> Iterator[Row]:
    """What a run dropped of each attention head, a line each."""
    for block, shares in head_shares(run.masks, run.predictor.base.config.num_heads).items():
        for head, share in enumerate(shares):
            yield {"run": run.name, "block": block, "head": head, "sparsity": float(share)}


def neuron_rows(run: Run) -> Iterator[Row]:
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


def draw_matrices(rows: Sequence[Row], grid: tuple[list[str], list[str]], note: str) -> "Figure":
    """Draws sparsity and overlap with magnitude by block and kind, as means over runs."""
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(7, 1.3 + 0.2 * len(grid[0])))
        left, right = figure.subplots(1, 2, sharey=True)
        zeros = 100 * mean_grid(rows, grid, "sparsity")
        draw_heat_map(left, zeros, *grid, title="weights dropped (%)", form=".1f", low=0)
        title = "overlap with smallest |W| / chance"
        overlap = mean_grid(rows, grid, "overlap_by_chance")
        draw_heat_map(right, overlap, *grid, title=title, form=".2f", low=0)
        left.set_ylabel("block", fontsize=8)
        caption(figure, f"mean over {note}")
    return figure


def draw_heads(rows: Sequence[Row], note: str) -> "Figure":
    """Draws the sparsity of each head of each block, as means over runs."""
    from matplotlib.figure import Figure

    blocks = sorted({row["block"] for row in rows}, key=int)
    heads = [str(head) for head in sorted({row["head"] for row in rows})]
    cells = [{**row, "kind": str(row["head"])} for row in rows]
    values = 100 * mean_grid(cells, (blocks, heads), "sparsity")
    with styled():
        figure = Figure(figsize=(4.5, 1.1 + 0.22 * len(blocks)))
        axes = figure.subplots()
        draw_heat_map(
            axes, values, blocks, heads, title="weights of a head dropped (%)", form=".1f"
        )
        axes.set_xlabel("head", fontsize=8)
        axes.set_ylabel("block", fontsize=8)
        caption(figure, f"query, key, value, attention output; mean over {note}")
    return figure


def draw_neurons(rows: Sequence[Row], note: str) -> "Figure":
    """Draws how many weights the neurons of a block lost, and how many chance would drop."""
    from matplotlib.figure import Figure

    blocks = sorted({row["block"] for row in rows}, key=int)
    members = {block: [row for row in rows if row["block"] == block] for block in blocks}
    shares = {b: np.array([row["sparsity"] for row in found]) for b, found in members.items()}
    places = [int(block) for block in blocks]
    with styled():
        figure = Figure(figsize=(4.5, 2.8))
        axes = figure.subplots()
        mean = np.array([shares[block].mean() for block in blocks])
        error = np.array([_chance_error(members[block]) for block in blocks])
        low, high = 100 * (mean - NORMAL_99 * error), 100 * (mean + NORMAL_99 * error)
        label = "1 % to 99 %, independent zeros"
        axes.fill_between(places, low, high, color="#BBBBBB", linewidth=0, label=label)
        for number, (name, share) in enumerate(QUANTILES.items()):
            values = [100 * np.quantile(shares[block], share) for block in blocks]
            axes.plot(places, values, label=f"{name} of neurons", **look(number)._asdict())
        axes.set_xticks(places)
        axes.set_xlabel("block")
        axes.set_ylabel("weights of a neuron dropped (%)", fontsize=8)
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside upper center", ncols=2, fontsize=7)
        caption(figure, f"neurons of {note}")
    return figure


def _chance_error(rows: Sequence[Row]) -> float:
    """The deviation of independent zeros, over all runs."""
    return float(np.sqrt(np.mean(np.square([row["chance_deviation"] for row in rows]))))


def _table(
    runs: Sequence[Run],
    matrices: Sequence[Row],
    heads: Sequence[Row],
    neurons: Sequence[Row],
    dead: float,
) -> Table:
    columns = (
        Column("run", overflow="fold"),
        "dropped",
        "overlap",
        "by chance",
        "dead heads",
        "dead neurons",
    )
    table = Table(*columns, title=f"dead: at least {dead:.0%} of the weights dropped")
    for run in runs:
        own = [row for row in matrices if row["run"] == run.name]
        zeros, weights = (sum(row[name] for row in own) for name in ("zeros", "weights"))
        shared = sum(row["shared_with_magnitude"] for row in own)
        expected = sum(row["zeros"] * row["sparsity"] for row in own)
        table.add_row(
            run.name,
            f"{zeros / weights:.2%}",
            f"{shared / max(zeros, 1):.2%}",
            f"{expected / max(zeros, 1):.2%}",
            *(_dead(rows, run, dead) for rows in (heads, neurons)),
        )
    return table


def _dead(rows: Sequence[Row], run: Run, dead: float) -> str:
    own = [row["sparsity"] for row in rows if row["run"] == run.name]
    return f"{sum(share >= dead for share in own)} of {len(own):,}"
