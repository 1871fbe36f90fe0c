"""One style for all figures, and a file with the numbers of each.

A figure is saved three times: as SVG for a page or a paper, as PNG to look at, and as CSV with the
numbers behind it. Colors are those of Okabe and Ito, which people with any kind of color vision
tell apart; lines also differ in their dashes and markers, so that they can be read in gray.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from maskjax.extras import require
from maskjax.taskfile import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito, https://jfly.uni-koeln.de/color/, the darkest first, without the yellow."""
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 3)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a dollar in the name of a run is one
}
Row = Mapping[str, Any]


class Look(NamedTuple):
    """How one line of several is drawn; `axes.plot(x, y, **look._asdict())`.

    Attributes:
        color: Of Okabe and Ito.
        linestyle: Its dashes.
        marker: At its points.
    """

    color: str
    linestyle: Any
    marker: str


def look(number: int) -> Look:
    """The look of the n-th line of a figure; after seven they come again.

    Example:
        >>> look(0).color, look(7) == look(0)
        ('#0072B2', True)
    """
    place = number % len(COLORS)
    return Look(COLORS[place], DASHES[place], MARKERS[place])


@contextmanager
def styled() -> Iterator[None]:
    """The style of all figures, while they are drawn."""
    require("drawing a figure", "matplotlib", install="maskjax[analysis]")
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def save_figure(figure: "Figure", stem: Path, rows: Sequence[Row]) -> tuple[Path, ...]:
    """Saves a figure and its numbers."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = []
    with styled():
        for extension, options in {
            "svg": {"metadata": {"Date": None}},
            "png": {"dpi": 160},
        }.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=extension, **options)
            files.append(_write(stem, extension, buffer.getvalue()))
    return *files, _write(stem, "csv", table_bytes(rows))


def table_bytes(rows: Sequence[Row]) -> bytes:
    """Rows as CSV.

    Example:
        >>> table_bytes([{"seed": 0, "score": 0.5}])
        b'seed,score\\n0,0.5\\n'
    """
    if not rows:
        raise ValueError("Expected at least one row.")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if list(row) != list(rows[0]):
            raise ValueError(f"Expected rows with the keys {list(rows[0])}, got {list(row)}.")
        writer.writerow(row)
    return buffer.getvalue().encode()


def _write(stem: Path, extension: str, content: bytes) -> Path:
    path = stem.with_name(f"{stem.name}.{extension}")
    write_atomically(path, content)
    return path
