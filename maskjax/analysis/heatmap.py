"""Matrices of an encoder as the cells of a heat map: blocks from bottom to top, and kinds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from maskjax.analysis.figures import Row
from maskjax.models.matrix_types import MATRIX_TYPES, block_of, matrix_type

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

TOP = "top"
"""The name of what is above the blocks, the pooler and the head."""
_SHORT = {"attention_output": "attn. out", "intermediate": "interm."}
MOST_CELLS = 12
"""Wider heat maps have no numbers in their cells, which would be too small to read."""


def place_of(path: str) -> tuple[str, str]:
    """Block and kind of a matrix.

    Example:
        >>> place_of("encoder/layer/3/output/dense/kernel"), place_of("pooler/dense/kernel")
        (('3', 'output'), ('top', 'pooler'))
    """
    block = block_of(path)
    return TOP if block is None else str(block), matrix_type(path) or "other"


def grid_of(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The rows and columns of a heat map of these matrices.

    Example:
        >>> grid_of(["pooler/dense/kernel", "encoder/layer/1/output/dense/kernel"])
        (['1', 'top'], ['output', 'pooler'])
    """
    places = [place_of(path) for path in paths]
    blocks = sorted({block for block, _ in places}, key=lambda name: (name == TOP, name.zfill(3)))
    order = [*MATRIX_TYPES, "other"]
    return blocks, sorted({kind for _, kind in places}, key=order.index)


def by_block(values: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """What stands in each row of a heat map.

    Example:
        >>> by_block({"pooler/dense/kernel": 1, "encoder/layer/1/output/dense/kernel": 2})
        {'1': {'encoder/layer/1/output/dense/kernel': 2}, 'top': {'pooler/dense/kernel': 1}}
    """
    blocks, _ = grid_of(values)
    return {b: {p: v for p, v in values.items() if place_of(p)[0] == b} for b in blocks}


def short_name(kind: str) -> str:
    """A name of a kind that fits on a column.

    Example:
        >>> short_name("attention_output"), short_name("query")
        ('attn. out', 'query')
    """
    return _SHORT.get(kind, kind)


def mean_grid(rows: Iterable[Row], grid: tuple[list[str], list[str]], value: str) -> np.ndarray:
    """The mean of a number at each place of a heat map."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if np.isfinite(row[value]):
            found.setdefault((row["block"], row["kind"]), []).append(row[value])
    return np.array([[np.mean(found.get((b, k), [np.nan])) for k in grid[1]] for b in grid[0]])


def draw_heat_map(
    axes: "Axes",
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    form: str = ".2f",
    low: float | None = None,
    high: float | None = None,
) -> None:
    """Draws a heatmap in one color, legible in gray, with its numbers in the cells."""
    finite = values[np.isfinite(values)]
    low = float(finite.min(initial=np.inf)) if low is None else low
    high = float(finite.max(initial=low)) if high is None else high
    axes.imshow(values, cmap="Blues", vmin=low, vmax=high if high > low else low + 1, aspect="auto")
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=7)
    axes.set_xticks(range(len(columns)), [short_name(name) for name in columns], rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_title(title, fontsize=8)
    if len(columns) > MOST_CELLS:
        return
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = value > low + 0.55 * (high - low)
            text = {"color": "white" if dark else "black", "fontsize": 6}
            axes.text(column, row, format(value, form), ha="center", va="center", **text)


def caption(figure: "Figure", text: str) -> None:
    """Writes what a reader must know to read a figure below it: n, seeds, what is drawn."""
    figure.supxlabel(text, fontsize=7, color="#444444", wrap=True)
