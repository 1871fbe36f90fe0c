"""The curves of runs while they trained, out of what they wrote into `metrics.jsonl`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from maskjax.analysis.figures import line_style, new_figure
from maskjax.config import parse_json
from maskjax.errors import InputError
from maskjax.taskfile import METRICS_FILE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES = {"loss": "loss", "score": "score", "sparsity": "zeros (share)"}
"""What is drawn, and the label of its axis."""
MOST_MARKED = 30
"""A line of more points has no markers, which would hide it."""
Curve = tuple[list[int], list[float]]
"""Steps and values."""


def read_curves(folder: Path) -> dict[str, Curve]:
    """Reads the numbers that a run wrote."""
    path = folder / METRICS_FILE
    lines = path.read_bytes().splitlines() if path.exists() else []
    curves: dict[str, Curve] = {}
    for number, line in enumerate(lines, 1):
        values = parse_json(line, f"{path} line {number}", "delete the line")
        if not isinstance(values, dict) or not isinstance(values.get("step"), int):
            raise InputError(
                f"{path} line {number}: expected the numbers of a step; delete the line."
            )
        for name in MEASURES.keys() & values.keys():
            steps, found = curves.setdefault(name, ([], []))
            steps.append(values["step"])
            found.append(values[name])
    return curves


def draw_curves(curves: Mapping[str, Mapping[str, Curve]]) -> "Figure":
    """Draws loss, score and sparsity over the steps of runs."""
    names = [name for name in MEASURES if any(name in curve for curve in curves.values())]
    with new_figure(7, 2.4 + 0.17 * len(curves)) as figure:
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for number, (run, curve) in enumerate(curves.items()):
                steps, values = curve.get(name, ([], []))
                style = line_style(number)._asdict()
                if len(steps) > MOST_MARKED:
                    style["marker"] = None
                axes.plot(steps, values, label=run, linewidth=1.2, **{"markersize": 3, **style})
            axes.set_xlabel("step", fontsize=8)
            axes.set_ylabel(MEASURES[name], fontsize=8)
            axes.tick_params(labelsize=7)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=7)
    return figure
