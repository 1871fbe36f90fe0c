"""A heat map of what a mask dropped, by block and kind of matrix."""

from pathlib import Path

from maskjax.errors import InputError
from maskjax.masking import Count


def save_picture(grid: dict[str, dict[str, Count]], title: str, path: Path) -> None:
    """Draws the zeros of a mask into a picture file.

    Args:
        grid: `{block: {kind: count}}`.
        title: Stands above the picture.
        path: A .png, .svg or .pdf file.

    Raises:
        InputError: If there is no mask, matplotlib is missing, or the file has another extension.
    """
    if not grid:
        raise InputError("--picture: this run has no mask to draw.")
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"--picture: expected a .png, .svg or .pdf file, got {path}.")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise InputError("--picture needs matplotlib: pip install 'maskjax[demo]'.") from error

    kinds = list(dict.fromkeys(kind for row in grid.values() for kind in row))
    share = [[_per_cent(row.get(kind)) for kind in kinds] for row in grid.values()]
    highest = 100 * max(count.sparsity for row in grid.values() for count in row.values())
    figure = Figure(figsize=(1.1 * len(kinds) + 2, 0.45 * len(grid) + 1.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
    axes.set_yticks(range(len(grid)), list(grid))
    axes.set_ylabel("block")
    axes.set_title(f"Weights dropped: {title}")
    for y, row in enumerate(grid.values()):
        for x, kind in enumerate(kinds):
            if kind in row:
                color = "white" if share[y][x] > 0.6 * highest else "black"
                axes.text(x, y, f"{share[y][x]:.1f}", ha="center", va="center", color=color)
    figure.colorbar(image, label="zeros (%)")
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}.") from error


def _per_cent(count: Count | None) -> float:
    """NaN where there is no such matrix, which is drawn as nothing rather than as no zeros."""
    return float("nan") if count is None else 100 * count.sparsity
