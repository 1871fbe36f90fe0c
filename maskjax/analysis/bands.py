"""Several curves as one: their mean, and a band that holds all of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from maskjax.analysis.figures import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Band(NamedTuple):
    """Several curves as one.

    Attributes:
        mean: [points].
        low: The lowest at each point; [points].
        high: The highest at each point; [points].
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(curves: Sequence[np.ndarray]) -> Band:
    """The mean of curves, and the range that holds all of them.

    A range says of few curves what they were; a standard deviation would say what more of them
    may be, which three or six pairs of the same three runs cannot tell.

    Example:
        >>> band([np.array([1.0, 2.0]), np.array([3.0, 2.0])]).mean.tolist()
        [2.0, 2.0]
    """
    stacked = np.stack(curves)
    return Band(stacked.mean(axis=0), stacked.min(axis=0), stacked.max(axis=0))


def draw_band(
    axes: "Axes", places: Any, found: Band, *, number: int, label: str, **options: Any
) -> None:
    """Draws the mean as a line, and the range about it."""
    style = look(number)
    axes.plot(places, found.mean, **style._asdict(), markersize=4, label=label, **options)
    axes.fill_between(places, found.low, found.high, color=style.color, alpha=0.18, linewidth=0)
