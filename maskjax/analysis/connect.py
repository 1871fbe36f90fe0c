"""Whether minima are connected: loss and score along curves between runs of one task.

Zhao et al. 2020 join a masked and a finetuned model by a line, along which accuracy
hardly changes; Garipov et al. 2018 join minima that no line joins by curves with a trained bend.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from maskjax.analysis.barrier import barrier, drop
from maskjax.analysis.connect_figure import draw_curves
from maskjax.analysis.curve_evaluation import TRAIN, Walk, Walker
from maskjax.analysis.figures import save_figure, table_bytes
from maskjax.analysis.interpolation import CurveName
from maskjax.analysis.resumable import run_cells
from maskjax.analysis.runs import Run, seeds_text
from maskjax.taskfile import write_atomically

Numbers = dict[str, Any]


class Pair(NamedTuple):
    """Two runs to go between.

    Attributes:
        first: At γ = 0; of a mixed pair the one that learned a mask.
        last: At γ = 1.
    """

    first: Run
    last: Run

    @property
    def group(self) -> str:
        """The methods of both."""
        return f"{self.first.method}–{self.last.method}"


def study_connectivity(
    runs: Sequence[Run],
    out: Path,
    console: Console,
    *,
    curves: Sequence[CurveName] = ("line",),
    walk: Walk | None = None,
) -> tuple[Path, ...]:
    """Walks between every two runs of one task and measures the barriers."""
    walk = walk or Walk()
    pairs = pairs_of(runs)
    console.print(_cost(len(pairs), curves, walk), highlight=False, soft_wrap=True)
    walker = Walker(runs, walk, console)
    keys = [walker.key(*pair, name) for name in curves for pair in pairs]
    cells = run_cells(keys, walker, out / "connect.jsonl", console=console)
    walked = list(zip([pair for _ in curves for pair in pairs], cells, strict=True))
    metric, files = runs[0].task.metric, []
    for name in curves:
        mine = [(pair, cell) for pair, cell in walked if cell["curve"] == name]
        rows = [row for pair, cell in mine for row in _points(pair, cell, walk.split)]
        counts = {split: mine[0][1][split]["rows"] for split in (TRAIN, walk.split)}
        figure = draw_curves(
            rows, metric, counts, f"{runs[0].task.name}, {name}, {seeds_text(runs)}"
        )
        files += save_figure(figure, out / f"connect-{name}", rows)
    barriers = [row for pair, cell in walked for row in _barriers(pair, cell, walk.split)]
    console.print(_table(barriers, metric))
    table = out / "connect-barriers.csv"
    write_atomically(table, table_bytes(barriers))
    return *files, table


def pairs_of(runs: Sequence[Run]) -> list[Pair]:
    """All pairs of runs; those of two methods all go the same way."""
    ordered = sorted(runs, key=lambda run: (run.method != "mask", run.method))
    pairs = [Pair(first, last) for first, last in combinations(ordered, 2)]
    return sorted(pairs, key=lambda pair: pair.group)


def _cost(pairs: int, curves: Sequence[CurveName], walk: Walk) -> str:
    rows = "all" if walk.rows is None else f"{walk.rows:,}"
    text = (
        f"{pairs} pairs of runs, {', '.join(curves)}: {len(curves) * pairs} paths of "
        f"{walk.points} points, each on {rows} rows of {TRAIN} and of {walk.split}"
    )
    bends = pairs * sum(name != "line" for name in curves)
    return text + (f"; {bends} bends of {walk.steps} training steps" if bends else "")


def _points(pair: Pair, cell: Mapping[str, Any], split: str) -> Iterator[Numbers]:
    """A row of the figure's table for each point."""
    gammas = np.linspace(0, 1, cell["points"]).tolist()
    for name in (TRAIN, split):
        for gamma, loss, score in zip(gammas, *_heights(cell, name), strict=True):
            place = _place(pair, cell, name)
            yield {**place, "gamma": round(gamma, 6), "loss": loss, "score": score}


def _barriers(pair: Pair, cell: Mapping[str, Any], split: str) -> Iterator[Numbers]:
    """A row of the table of barriers for each split."""
    gammas = np.linspace(0, 1, cell["points"])
    for name in (TRAIN, split):
        loss, score = map(np.array, _heights(cell, name))
        ends = {"first_loss": loss[0], "last_loss": loss[-1]}
        ends |= {"first_score": score[0], "last_score": score[-1]}
        heights = {"barrier": barrier(gammas, loss), "drop": drop(gammas, score)}
        yield {**_place(pair, cell, name), **heights, **ends}


def _heights(cell: Mapping[str, Any], split: str) -> tuple[list[float], list[float]]:
    return cell[split]["loss"], cell[split]["score"]


def _place(pair: Pair, cell: Mapping[str, Any], split: str) -> Numbers:
    runs = {"first": pair.first.name, "last": pair.last.name}
    return {"group": pair.group, **runs, "curve": cell["curve"], "split": split}


def _table(barriers: Sequence[Numbers], metric: str) -> Table:
    """Means over the pairs of a group."""
    columns = ("curve", "split", "barrier of loss", f"drop of {metric}")
    table = Table("pairs", *columns, title="barriers, mean (lowest to highest)")
    places = [(row["group"], row["curve"], row["split"]) for row in barriers]
    for place in dict.fromkeys(places):
        mine = [row for row, at in zip(barriers, places, strict=True) if at == place]
        found = [[row[name] for row in mine] for name in ("barrier", "drop")]
        group, curve, split = place
        table.add_row(f"{len(mine)} {group}", curve, split, *map(_spread, found))
    return table


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f}-{max(values):.3f})"
