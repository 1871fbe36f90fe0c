"""A heat map of what a mask dropped, by block and kind of matrix."""

from pathlib import Path

import numpy as np

from maskjax.analysis.figures import styled
from maskjax.analysis.heatmap import draw_heat_map
from maskjax.errors import InputError
from maskjax.masking import Count


def save_picture(grid: dict[str, dict[str, Count | None]], title: str, path: Path) -> None:
    """Draws the zeros of a mask into a picture file.

    Args:
        grid: `{block: {kind: count}}`, all with the same kinds.
        title: Stands above the picture.
        path: A .png, .svg or .pdf file.

    Raises:
        InputError: If there is no mask, matplotlib is missing, or the file has another extension.
    """
    if not grid:
        raise InputError("--picture: this run has no mask to draw.")
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"--picture: expected a .png, .svg or .pdf file, got {path}.")
    kinds = list(next(iter(grid.values())))
    share = np.array([[_per_cent(count) for count in row.values()] for row in grid.values()])
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(0.6 * len(kinds) + 1.5, 0.3 * len(grid) + 1.5))
        title = f"{title}: weights dropped, per cent"
        draw_heat_map(figure.subplots(), share, list(grid), kinds, title=title, form=".1f", low=0)
        try:
            figure.savefig(path, dpi=160)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}.") from error


def _per_cent(count: Count | None) -> float:
    """NaN where there is no such matrix, which is drawn as nothing rather than as no zeros."""
    return float("nan") if count is None else 100 * count.sparsity
