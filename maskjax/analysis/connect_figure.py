"""The figure of curves between runs: loss and score over γ, on train rows and on others."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from maskjax.analysis.bands import Band, band, draw_band
from maskjax.analysis.figures import Row, styled
from maskjax.analysis.heatmap import caption

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(
    rows: Sequence[Row], metric: str, counts: Mapping[str, int], about: str
) -> "Figure":
    """Draws the mean over pairs of runs, a line and a band for each group."""
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(row["group"] for row in rows))
    with styled():
        figure = Figure(figsize=(7, 4.6))
        axes = figure.subplots(2, len(counts), sharex=True, sharey="row", squeeze=False)
        for column, (split, count) in enumerate(counts.items()):
            mine = [row for row in rows if row["split"] == split]
            axes[0][column].set_title(f"{split}, {count:,} rows", fontsize=9)
            for value, one in zip(("loss", "score"), axes[:, column], strict=True):
                for number, group in enumerate(groups):
                    gammas, found = _band_of(mine, group, value)
                    every = max(len(gammas) // 6, 1)
                    draw_band(one, gammas, found, number=number, label=group, markevery=every)
            axes[1][column].set_xlabel("position γ on the path")
        axes[0][0].set_ylabel("loss")
        axes[1][0].set_ylabel(metric)
        handles = axes[0][0].get_lines()
        figure.legend(handles=handles, loc="outside upper center", ncols=len(groups))
        notes = [f"{group}: {_pairs(rows, group)}" for group in groups]
        text = "Lines are means over pairs of runs, bands hold all of them"
        caption(figure, f"{about}. {text}.\n{', '.join(notes)}.")
    return figure


def _band_of(rows: Sequence[Row], group: str, value: str) -> tuple[np.ndarray, Band]:
    pairs: dict[tuple[str, str], dict[float, float]] = {}
    for row in rows:
        if row["group"] == group:
            pairs.setdefault((row["first"], row["last"]), {})[row["gamma"]] = row[value]
    curves = list(pairs.values())
    gammas = np.array(list(curves[0]))
    return gammas, band([np.array(list(curve.values())) for curve in curves])


def _pairs(rows: Sequence[Row], group: str) -> str:
    count = len({(row["first"], row["last"]) for row in rows if row["group"] == group})
    return f"{count} pair{'s' * (count > 1)}"
