"""One style for all figures, and a file with the numbers of each.

A figure is saved three times: as SVG for a page or a paper, as PNG to look at, and as CSV with the
numbers behind it. Colors are those of Okabe and Ito, which people with any kind of color vision
tell apart; lines also differ in their dashes and markers, so that they can be read in gray.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from maskjax.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
Frame = Any
"""A `pandas.DataFrame`; the annotations of pandas are too open for a type checker."""


class Look(NamedTuple):
    """How one line of several is drawn; `axes.plot(x, y, **style._asdict())`."""

    color: str  # of Okabe and Ito
    linestyle: Any  # its dashes
    marker: str  # at its points


def line_style(number: int) -> Look:
    """The look of the n-th line of a figure; after seven they come again.

    Example:
        >>> line_style(0).color, line_style(7) == line_style(0)
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


@contextmanager
def new_figure(width: float, height: float) -> Iterator["Figure"]:
    """An empty figure of this size in inches; what is drawn on it has the style of all."""
    with styled():
        from matplotlib.figure import Figure

        yield Figure(figsize=(width, height))


def draw_bands(axes: "Axes", frame: Frame, x: str, y: str, by: str, **options: Any) -> None:
    """Draws a line for each group of rows: the mean of y, and a band that holds all values.

    A range says of few values what they were; a standard deviation would say what more of them
    may be, which three or six pairs of the same three runs cannot tell.
    """
    for number, (name, group) in enumerate(frame.groupby(by, sort=False)):
        style = line_style(number)
        spread = group.groupby(x)[y].agg(["mean", "min", "max"])
        line = {**style._asdict(), "markersize": 4, "label": name, **options}
        axes.plot(spread.index, spread["mean"], **line)
        band = {"color": style.color, "alpha": 0.18, "linewidth": 0}
        axes.fill_between(spread.index, spread["min"], spread["max"], **band)


def caption(figure: "Figure", text: str) -> None:
    """Writes what a reader must know to read a figure below it: n, seeds, what is drawn."""
    figure.supxlabel(text, fontsize=7, color="#444444", wrap=True)


def save_figure(figure: "Figure", stem: Path, frame: Frame) -> None:
    """Saves a figure and its numbers."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    with styled():
        for extension, options in {
            "svg": {"metadata": {"Date": None}},
            "png": {"dpi": 160},
        }.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=extension, **options)
            _write(stem, extension, buffer.getvalue())
    save_table(stem, frame)


def save_table(stem: Path, frame: Frame) -> None:
    """Saves numbers as CSV."""
    _write(stem, "csv", frame.to_csv(index=False, lineterminator="\n").encode())


def _write(stem: Path, extension: str, content: bytes) -> None:
    from maskjax.taskfile import write_atomically

    write_atomically(stem.with_name(f"{stem.name}.{extension}"), content)
