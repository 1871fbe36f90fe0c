"""How far masks are apart: s between runs, and what independent masks would give.

s = ‖M₁ − M₂‖₁ / (‖M₁‖₁ + ‖M₂‖₁) (Zhao et al. 2020, section 6.2). The number alone cannot be read:
two masks that keep nearly everything are close whatever they keep. So with it comes what
independent masks give that keep as many weights of each matrix.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from maskjax.analysis.captions import seeds_text, short_names
from maskjax.analysis.figures import Frame, caption, new_figure, save_figure
from maskjax.analysis.heatmap import Grid, draw_heat_map, grid_of, mean_grid, place_of
from maskjax.options import Offline, RunFolders, StudyFolder
from maskjax.progress import tracked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from maskjax.analysis.runs import Run
    from maskjax.masking.packed import Difference, PackedMask

MEASURES = {
    "dissimilarity": ("dissimilarity s (%)", ".1f"),
    "chance": ("s of independent masks (%)", ".1f"),
    "ratio": ("measured / independent", ".2f"),
}
"""What is drawn: its title, and how a number is written."""


class Distance(NamedTuple):
    """Two masks against each other over some matrices, and against chance."""

    differing: int  # weights that one keeps and the other drops
    kept: int  # weights that the first keeps plus weights that the second keeps
    # For independent masks of the same densities, matrix by matrix: mean of `differing`.
    expected: float
    variance: float  # for independent masks: variance of `differing`

    @property
    def dissimilarity(self) -> float:
        """The measured s, in [0, 1]."""
        return self.differing / max(self.kept, 1)

    @property
    def chance(self) -> float:
        """The expected s of independent masks."""
        return self.expected / max(self.kept, 1)

    @property
    def chance_error(self) -> float:
        """The standard deviation of s among independent masks."""
        return self.variance**0.5 / max(self.kept, 1)

    @property
    def ratio(self) -> float:
        """Measured by expected s: 1 for independent masks, 0 for equal ones; NaN without zeros."""
        return self.differing / self.expected if self.expected else float("nan")


def distance_of(differences: "Iterable[Difference]") -> Distance:
    """Adds matrices up.

    With a kept weights of n in one mask and b in the other, independent masks share as many as
    a draw of b out of n, of which a are marked: a hypergeometric number, each of which makes two
    fewer that differ.

    Example:
        >>> from maskjax.masking.packed import Difference
        >>> distance_of([Difference(differing=2, first=2, second=2, total=4)]).ratio
        1.0
    """
    patterns = list(differences)
    return Distance(
        sum(difference.differing for difference in patterns),
        sum(difference.first + difference.second for difference in patterns),
        sum(
            difference.first + difference.second - 2 * _shared(difference)
            for difference in patterns
        ),
        sum(4 * _variance(difference) for difference in patterns),
    )


def dissimilarity(runs: RunFolders, *, out: StudyFolder, offline: Offline = False) -> None:
    """Compares the masks of every two runs, of any tasks, seeds and starts.

    Draws s between runs, and its mean by block and matrix type, with what independent masks of
    the same densities would give.
    """
    from pandas import DataFrame

    from maskjax.analysis.runs import study_runs
    from maskjax.masking.packed import compare_masks

    loaded, console = study_runs(runs, offline=offline, least=2, masked=True), Console()
    masks = [_masks_over_base(run) for run in loaded]
    pairs = list(combinations(range(len(loaded)), 2))
    console.print(f"{len(pairs)} pairs of masks, no forward passes", highlight=False)
    totals: list[dict[str, Any]] = []
    matrices: list[dict[str, Any]] = []
    for a, b in tracked(pairs, "comparing", "pairs"):
        differences = compare_masks(masks[a], masks[b])
        same = loaded[a].task.name == loaded[b].task.name
        group = "runs of one task" if same else "runs of two tasks"
        pair = {"first": loaded[a].name, "second": loaded[b].name}
        totals.append({**pair, **_numbers(differences.values())})
        for place in dict.fromkeys(map(place_of, differences)):
            own = [
                difference for path, difference in differences.items() if place_of(path) == place
            ]
            where = {"group": group, **pair, "block": place[0], "matrix_type": place[1]}
            matrices.append({**where, **_numbers(own)})
    by_pair, by_matrix = DataFrame(totals), DataFrame(matrices).sort_values("group", kind="stable")
    names = [run.name for run in loaded]
    shown = dict(zip(names, short_names(names), strict=True))
    seeds = seeds_text(run.seed for run in loaded)
    grid = grid_of(path for own in masks for path in own)
    console.print(_table(by_pair.replace({"first": shown, "second": shown})))
    save_figure(draw_runs(by_pair, shown, seeds), out / "dissimilarity-runs", by_pair)
    save_figure(draw_blocks(by_matrix, grid, seeds), out / "dissimilarity-blocks", by_matrix)


def draw_runs(frame: Frame, names: dict[str, str], seeds: str) -> "Figure":
    """Draws s, that of chance and the ratio as three matrices of runs by runs."""
    from pandas import concat

    swapped = frame.rename(columns={"first": "second", "second": "first"})
    both, runs = concat([frame, swapped]), list(names)
    rows = [f"{name} {number}" for number, name in enumerate(names.values(), 1)]
    panels = []
    for measure in MEASURES:
        square = both.pivot_table(measure, "first", "second").reindex(index=runs, columns=runs)
        panels.append(square.set_axis(rows).set_axis(range(1, len(runs) + 1), axis=1))
    with new_figure(7, 1.3 + 0.22 * len(runs)) as figure:
        _draw_panels(figure.subplots(1, 3, sharey=True), panels)
        caption(figure, f"{len(runs)} runs, {seeds}; over all masked matrices of the base")
    return figure


def draw_blocks(frame: Frame, grid: Grid, seeds: str) -> "Figure":
    """Draws the mean of s over pairs of runs, that of chance and the ratio, by block and type."""
    groups = frame.groupby("group")
    with new_figure(7, (1.0 + 0.2 * len(grid[0])) * len(groups) + 0.3) as figure:
        axes = figure.subplots(len(groups), 3, sharey=True, squeeze=False)
        notes = []
        for line, (group, own) in zip(axes, groups, strict=True):
            _draw_panels(line, [mean_grid(own, grid, measure) for measure in MEASURES])
            line[0].set_ylabel(f"{group}\nblock", fontsize=8)
            count = len(own[["first", "second"]].drop_duplicates())
            notes.append(f"{group}: mean over {count} pair{'s' * (count > 1)}")
        caption(figure, "; ".join([*notes, seeds]))
    return figure


def _draw_panels(axes: Iterable["Axes"], panels: Sequence[Frame]) -> None:
    """The first two, which are compared, are in per cent and shaded alike."""
    scaled = [100 * panels[0], 100 * panels[1], panels[2]]
    shared = max(float(np.nanmax(panel)) for panel in scaled[:2])
    highs = (shared, shared, max(1.0, float(np.nanmax(panels[2]))))
    for one, panel, (title, form), high in zip(axes, scaled, MEASURES.values(), highs, strict=True):
        draw_heat_map(one, panel, title=title, form=form, low=0, high=high)


def _masks_over_base(run: "Run") -> "dict[str, PackedMask]":
    """Those whose weights have a digest, which only leaves of the base have.

    The head is left out: its weights are another draw in every run, and masks over different
    weights have nothing in common.
    """
    return {path: mask for path, mask in run.masks.items() if path in run.file.digests}


def _numbers(differences: "Iterable[Difference]") -> dict[str, float]:
    distance = distance_of(differences)
    names = ("differing", "kept", "dissimilarity", "chance", "chance_error", "ratio")
    return {name: getattr(distance, name) for name in names}


def _table(frame: Frame) -> Table:
    whole = (Column(head, overflow="fold") for head in ("first", "second"))
    table = Table(*whole, "s", "independent", "ratio", title="dissimilarity of masks")
    for d in frame.itertuples():
        chance = f"{d.chance:.5f} ± {d.chance_error:.5f}"
        table.add_row(d.first, d.second, f"{d.dissimilarity:.5f}", chance, f"{d.ratio:.3f}")
    return table


def _shared(difference: "Difference") -> float:
    return difference.first * difference.second / max(difference.total, 1)


def _variance(difference: "Difference") -> float:
    if difference.total < 2:
        return 0.0
    p, q = difference.first / difference.total, difference.second / difference.total
    return difference.total * p * (1 - p) * q * (1 - q) * difference.total / (difference.total - 1)
