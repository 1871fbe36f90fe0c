"""How far masks are apart: s between runs, and what independent masks would give.

s = ‖M₁ − M₂‖₁ / (‖M₁‖₁ + ‖M₂‖₁) (Zhao et al. 2020, section 6.2). The number alone cannot be read:
two masks that keep nearly everything are close whatever they keep. So with it comes what
independent masks give that keep as many weights of each matrix.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from maskjax.analysis.figures import Row, save_figure, styled
from maskjax.analysis.heatmap import caption, draw_heat_map, grid_of, mean_grid, place_of
from maskjax.analysis.runs import Run, check_masked, seeds_text, short_names
from maskjax.masking.packed import Difference, PackedMask, compare_masks
from maskjax.progress import tracked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = {
    "dissimilarity": ("dissimilarity s (%)", ".1f"),
    "chance": ("s of independent masks (%)", ".1f"),
    "ratio": ("measured / independent", ".2f"),
}
"""What is drawn: its title, and how a number is written."""


class Distance(NamedTuple):
    """Two masks against each other over some matrices, and against chance.

    Attributes:
        differing: Weights that one keeps and the other drops.
        kept: Weights that the first keeps plus weights that the second keeps.
        expected: For independent masks of the same densities, matrix by matrix: mean of
            `differing`.
        variance: For independent masks: variance of `differing`.
    """

    differing: int
    kept: int
    expected: float
    variance: float

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


def distance_of(differences: Iterable[Difference]) -> Distance:
    """Adds matrices up.

    With a kept weights of n in one mask and b in the other, independent masks share as many as
    a draw of b out of n, of which a are marked: a hypergeometric number, each of which makes two
    fewer that differ.

    Example:
        >>> distance_of([Difference(differing=2, first=2, second=2, total=4)]).ratio
        1.0
    """
    found = list(differences)
    return Distance(
        sum(one.differing for one in found),
        sum(one.first + one.second for one in found),
        sum(one.first + one.second - 2 * _shared(one) for one in found),
        sum(4 * _variance(one) for one in found),
    )


def study_dissimilarity(runs: Sequence[Run], out: Path, console: Console) -> tuple[Path, ...]:
    """Compares the masks of every two runs.

    The head is left out: its weights are another draw in every run, and masks over different
    weights have nothing in common.
    """
    masks = [_masks_over_base(run) for run in runs]
    pairs = list(combinations(range(len(runs)), 2))
    console.print(f"{len(pairs)} pairs of masks, no forward passes", highlight=False)
    compared = tracked(pairs, "comparing", "pairs")
    found = {(a, b): compare_masks(masks[a], masks[b]) for a, b in compared}
    totals = {pair: distance_of(matrices.values()) for pair, matrices in found.items()}
    names = [run.name for run in runs]
    shown = short_names(names)
    console.print(_table(shown, totals))
    groups = {
        "runs of one task": [p for p in pairs if runs[p[0]].task.name == runs[p[1]].task.name],
        "runs of two tasks": [p for p in pairs if runs[p[0]].task.name != runs[p[1]].task.name],
    }
    cells = [
        {"group": group, "first": names[a], "second": names[b], "block": block, "kind": kind}
        | _numbers(distance_of([d for path, d in found[a, b].items() if place_of(path) == place]))
        for group, members in groups.items()
        for a, b in members
        for place in dict.fromkeys(map(place_of, found[a, b]))
        for block, kind in [place]
    ]
    rows = [{"first": names[a], "second": names[b], **_numbers(d)} for (a, b), d in totals.items()]
    grid = grid_of(path for matrices in found.values() for path in matrices)
    seeds = seeds_text(runs)
    return (
        *save_figure(draw_runs(shown, totals, seeds), out / "dissimilarity-runs", rows),
        *save_figure(draw_blocks(cells, grid, seeds), out / "dissimilarity-blocks", cells),
    )


def draw_runs(
    names: Sequence[str], totals: Mapping[tuple[int, int], Distance], seeds: str
) -> "Figure":
    """Draws s, that of chance and the ratio as three matrices of runs by runs."""
    from matplotlib.figure import Figure

    size, panels = len(names), []
    for measure in MEASURES:
        values = np.full((size, size), np.nan)
        for (a, b), distance in totals.items():
            values[a, b] = values[b, a] = _numbers(distance)[measure]
        panels.append(values)
    numbers = [str(number) for number in range(1, size + 1)]
    rows = [f"{name} {number}" for number, name in zip(numbers, names, strict=True)]
    with styled():
        figure = Figure(figsize=(7, 1.3 + 0.22 * size))
        _draw_panels(figure.subplots(1, 3, sharey=True), panels, (rows, numbers))
        caption(figure, f"{size} runs, {seeds}; over all masked matrices of the base")
    return figure


def draw_blocks(cells: Sequence[Row], grid: tuple[list[str], list[str]], seeds: str) -> "Figure":
    """Draws the mean over pairs of runs of s, that of chance and the ratio, by block and kind."""
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(cell["group"] for cell in cells))
    with styled():
        figure = Figure(figsize=(7, (1.0 + 0.2 * len(grid[0])) * len(groups) + 0.3))
        axes = figure.subplots(len(groups), 3, sharey=True, squeeze=False)
        notes = []
        for line, group in zip(axes, groups, strict=True):
            members = [cell for cell in cells if cell["group"] == group]
            _draw_panels(line, [mean_grid(members, grid, measure) for measure in MEASURES], grid)
            line[0].set_ylabel(f"{group}\nblock", fontsize=8)
            count = len({(cell["first"], cell["second"]) for cell in members})
            notes.append(f"{group}: mean over {count} pair{'s' * (count > 1)}")
        caption(figure, "; ".join([*notes, seeds]))
    return figure


def _draw_panels(
    axes: Iterable["Axes"], panels: Sequence[np.ndarray], names: tuple[list[str], list[str]]
) -> None:
    """The first two, which are compared, are in per cent and shaded alike."""
    scaled = [100 * panels[0], 100 * panels[1], panels[2]]
    shared = max(float(np.nanmax(panel)) for panel in scaled[:2])
    highs = (shared, shared, max(1.0, float(np.nanmax(panels[2]))))
    for one, panel, (title, form), high in zip(axes, scaled, MEASURES.values(), highs, strict=True):
        draw_heat_map(one, panel, *names, title=title, form=form, low=0, high=high)


def _masks_over_base(run: Run) -> dict[str, PackedMask]:
    """Those whose weights have a digest, which only leaves of the base have."""
    check_masked(run)
    return {path: mask for path, mask in run.masks.items() if path in run.file.digests}


def _numbers(distance: Distance) -> dict[str, float]:
    names = ("dissimilarity", "chance", "chance_error", "ratio")
    return {
        "differing": distance.differing,
        "kept": distance.kept,
        **{name: getattr(distance, name) for name in names},
    }


def _table(names: Sequence[str], totals: Mapping[tuple[int, int], Distance]) -> Table:
    whole = (Column(head, overflow="fold") for head in ("first", "second"))
    table = Table(*whole, "s", "independent", "ratio", title="dissimilarity of masks")
    for (a, b), d in totals.items():
        chance = f"{d.chance:.5f} ± {d.chance_error:.5f}"
        table.add_row(names[a], names[b], f"{d.dissimilarity:.5f}", chance, f"{d.ratio:.3f}")
    return table


def _shared(one: Difference) -> float:
    return one.first * one.second / max(one.total, 1)


def _variance(one: Difference) -> float:
    if one.total < 2:
        return 0.0
    p, q = one.first / one.total, one.second / one.total
    return one.total * p * (1 - p) * q * (1 - q) * one.total / (one.total - 1)
