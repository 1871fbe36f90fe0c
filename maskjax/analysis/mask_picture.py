"""A heat map of what a mask dropped, by block and matrix type."""

from collections.abc import Mapping
from pathlib import Path

from pandas import DataFrame

from maskjax.analysis.figures import new_figure
from maskjax.analysis.heatmap import by_block, draw_heat_map, grid_of
from maskjax.errors import InputError
from maskjax.masking import Count
from maskjax.models.matrix_types import count_by_type

Grid = Mapping[str, Mapping[str, Count | None]]
"""`{block: {matrix type: count}}`, all with the same types, None where a block has none."""


def zeros_by_block_and_type(counts: Mapping[str, Count]) -> Grid:
    """Arranges the counts of a saved mask; leaves outside the blocks are under the block `top`."""
    _, types = grid_of(counts)
    rows = {block: count_by_type(row) for block, row in by_block(counts).items()}
    return {block: {name: row.get(name) for name in types} for block, row in rows.items()}


def save_picture(grid: Grid, title: str, path: Path) -> None:
    """Draws the zeros of a mask into a .png, .svg or .pdf file."""
    if not grid:
        raise InputError("--picture: this run has no mask to draw.")
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"--picture: expected a .png, .svg or .pdf file, got {path}.")
    shares = {
        block: {k: 100 * c.sparsity for k, c in row.items() if c} for block, row in grid.items()
    }
    frame = DataFrame.from_dict(shares, orient="index", columns=list(next(iter(grid.values()))))
    with new_figure(0.6 * frame.shape[1] + 1.5, 0.3 * len(frame) + 1.5) as figure:
        title = f"{title}: weights dropped, per cent"
        draw_heat_map(figure.subplots(), frame, title=title, form=".1f", low=0)
        try:
            figure.savefig(path, dpi=160)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}.") from error
