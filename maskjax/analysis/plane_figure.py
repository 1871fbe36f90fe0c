"""The figure of a plane through three solutions: contours of the loss and of the score."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maskjax.analysis.figures import Frame, caption, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure

COLORMAP = "cividis"
"""It grows lighter all the way, and is made for all kinds of color vision."""
LEVELS = 10
FINEST = 1 / 64
"""The step from the best level to the next, as a share of the range."""
LETTERS = "ABC"


class Grid(NamedTuple):
    """What is known of a rectangle of the plane."""

    x: np.ndarray  # along the first axis; [columns]
    y: np.ndarray  # along the second one; [lines]
    loss: np.ndarray  # [lines, columns]
    score: np.ndarray  # [lines, columns]

    def to_frame(self) -> Frame:
        """A row for each point."""
        from pandas import DataFrame

        x, y = np.meshgrid(self.x, self.y)
        columns = {"x": x, "y": y, "loss": self.loss, "score": self.score}
        return DataFrame({name: values.ravel() for name, values in columns.items()})


def draw_plane(
    grid: Grid, positions: np.ndarray, names: Sequence[str], metric: str, about: str
) -> "Figure":
    """Draws loss and score as filled contours, darker where a model is better."""
    loss, score = grid.loss, grid.score
    with new_figure(7, 3.7) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        filled = [
            _fill(panels[0], grid, loss, _levels(loss.min(), loss.max()), COLORMAP),
            _fill(panels[1], grid, score, _levels(score.max(), score.min()), f"{COLORMAP}_r"),
        ]
        for one, contours, title in zip(panels, filled, ("loss", metric), strict=True):
            bar = figure.colorbar(contours, ax=one, orientation="horizontal", format="%.3g")
            bar.set_ticks(list(contours.levels)[::3])
            bar.set_label(title)
            _mark(one, positions)
            one.set_xlabel("along AB (L2 distance of weights)")
        panels[0].set_ylabel("off AB (L2 distance)")
        runs = [f"{letter}: {name}" for letter, name in zip(LETTERS, names, strict=True)]
        caption(figure, f"{about}. Darker is better.\n{', '.join(runs)}")
    return figure


def _fill(
    axes: "Axes", grid: Grid, values: np.ndarray, levels: np.ndarray, colors: str
) -> "QuadContourSet":
    """Shades with thin lines between them."""
    from matplotlib.colors import BoundaryNorm

    norm = BoundaryNorm(levels, 256, extend="both")
    options = {"levels": levels, "norm": norm, "extend": "both"}
    filled = axes.contourf(grid.x, grid.y, values, cmap=colors, **options)
    inner = [level for level in levels if values.min() < level < values.max()]
    if inner:
        axes.contour(grid.x, grid.y, values, levels=inner, colors="black", linewidths=0.4)
    return filled


def _mark(axes: "Axes", positions: np.ndarray) -> None:
    """The solutions, readable on any shade."""
    axes.grid(visible=False)
    axes.set_aspect("equal")
    for letter, (x, y) in zip(LETTERS, positions, strict=True):
        box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "linewidth": 0.8}
        axes.text(x, y, letter, fontsize=8, ha="center", va="center", bbox=box)


def _levels(best: float, worst: float) -> np.ndarray:
    """Levels that are dense where models are good, for that is where solutions are; ascending."""
    if abs(worst - best) < 1e-6 * max(abs(best), 1.0):
        worst = best + 1e-3  # a plain: one shade
    parts = np.concatenate([[0], np.geomspace(FINEST, 1, LEVELS - 1)])
    return np.sort(best + (worst - best) * parts)
