"""Matrices of an encoder as the cells of a heat map: blocks from bottom to top, matrix types."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from maskjax.analysis.figures import Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")
Grid = tuple[list[str], list[str]]
"""Blocks, the rows of a heat map, and matrix types, its columns."""

TOP = "top"
"""The name of what is above the blocks, the pooler and the head."""
_SHORT = {
    "attention_output": "attn. out",
    "intermediate": "interm.",
    "position_query": "pos. query",
    "position_key": "pos. key",
}
MOST_CELLS = 12
"""Wider heat maps have no numbers in their cells, which would be too small to read."""


def place_of(path: str) -> tuple[str, str]:
    """Block and type of a matrix.

    Example:
        >>> place_of("encoder/layer/3/output/dense/kernel"), place_of("pooler/dense/kernel")
        (('3', 'output'), ('top', 'pooler'))
    """
    from maskjax.models.matrix_types import block_of, matrix_type

    block = block_of(path)
    return TOP if block is None else str(block), matrix_type(path) or "other"


def grid_of(paths: Iterable[str]) -> Grid:
    """The rows and columns of a heat map of these matrices.

    Example:
        >>> grid_of(["pooler/dense/kernel", "encoder/layer/1/output/dense/kernel"])
        (['1', 'top'], ['output', 'pooler'])
    """
    from maskjax.models.matrix_types import MATRIX_TYPES

    places = [place_of(path) for path in paths]
    blocks = sorted({block for block, _ in places}, key=height_of)
    order = [*MATRIX_TYPES, "other"]
    return blocks, sorted({name for _, name in places}, key=order.index)


def height_of(block: str) -> tuple[bool, str]:
    """Sorts blocks from bottom to top."""
    return block == TOP, block.zfill(3)


def by_block(values: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """What stands in each row of a heat map.

    Example:
        >>> by_block({"pooler/dense/kernel": 1, "encoder/layer/1/output/dense/kernel": 2})
        {'1': {'encoder/layer/1/output/dense/kernel': 2}, 'top': {'pooler/dense/kernel': 1}}
    """
    blocks, _ = grid_of(values)
    return {b: {p: v for p, v in values.items() if place_of(p)[0] == b} for b in blocks}


def short_name(matrix_type: str) -> str:
    """A name of a matrix type that fits on a column.

    Example:
        >>> short_name("attention_output"), short_name("query")
        ('attn. out', 'query')
    """
    return _SHORT.get(matrix_type, matrix_type)


def mean_grid(frame: Frame, grid: Grid, value: str) -> Frame:
    """The mean of a column at each place of a heat map."""
    blocks, types = grid
    means = frame.pivot_table(value, "block", "matrix_type", aggfunc="mean")
    return means.reindex(index=blocks, columns=types)


def draw_heat_map(
    axes: "Axes",
    frame: Frame,
    *,
    title: str,
    form: str = ".2f",
    low: float | None = None,
    high: float | None = None,
) -> None:
    """Draws a heatmap in one color, legible in gray, with its numbers in the cells."""
    values = frame.to_numpy(float)
    finite = values[np.isfinite(values)]
    low = float(finite.min(initial=np.inf)) if low is None else low
    high = float(finite.max(initial=low)) if high is None else high
    axes.imshow(values, cmap="Blues", vmin=low, vmax=high if high > low else low + 1, aspect="auto")
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=7)
    names = [short_name(str(name)) for name in frame.columns]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(frame)), list(map(str, frame.index)))
    axes.set_title(title, fontsize=8)
    if len(names) > MOST_CELLS:
        return
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = value > low + 0.55 * (high - low)
            text = {"color": "white" if dark else "black", "fontsize": 6}
            axes.text(column, row, format(value, form), ha="center", va="center", **text)
