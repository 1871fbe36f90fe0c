"""Score against the fraction of zeros that masks start with (Zhao et al. 2020)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.console import Console

from maskjax.analysis.bands import band, draw_band
from maskjax.analysis.baselines import CONTROLS, control_config
from maskjax.analysis.figures import Row, save_figure, styled
from maskjax.analysis.heatmap import caption
from maskjax.analysis.sweeps import Plan, about_seeds, by_seed, scores_of, sweep_table, train_plans
from maskjax.config import Config
from maskjax.config.check import check

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Masks = Literal["learned", "magnitude", "random"]
DroppingInit = Literal["uniform", "magnitude", "random", "double_uniform"]
MASKS: tuple[Masks, ...] = ("learned", *CONTROLS)
SPARSITIES = (0.01, 0.03, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95)


def sparsity_plans(
    configs: Sequence[Config],
    sparsities: Sequence[float],
    masks: Sequence[Masks],
    initializer: DroppingInit = "uniform",
) -> list[Plan]:
    """What the sweep trains."""
    for sparsity in sparsities:
        check(0 < sparsity < 1, "--sparsities", "fractions in (0, 1)", sparsity)
    plans = []
    for config in configs:
        for sparsity in sparsities:
            for name in masks:
                key = {"task": config.task.name, "masks": name, "sparsity": sparsity}
                if name == "learned":
                    settings = {"method": "mask", "initializer": initializer, "sparsity": sparsity}
                    adaptation = replace(config.adaptation, **settings)
                    plans.append(Plan(key, replace(config, adaptation=adaptation)))
                else:
                    plans.append(Plan(key, control_config(config, name, sparsity), control=True))
    return plans


def study_sparsity(
    plans: Sequence[Plan], out: Path, console: Console, *, split: str = "dev"
) -> tuple[Path, ...]:
    """Trains masks from several sparsities on, and controls, and draws their scores."""
    rows = scores_of(train_plans(plans, out, console), split)
    settings = {"masks": str, "sparsity": lambda sparsity: f"{100 * sparsity:g}%"}
    console.print(sweep_table(rows, settings, "seeds"))
    return save_figure(draw_sparsity(rows), out / "sparsity", rows)


def draw_sparsity(rows: Sequence[Row]) -> "Figure":
    """Draws a panel for each task: the mean over seeds, and a band that holds all of them."""
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(row["task"] for row in rows))
    columns = min(len(tasks), 3)
    lines = -(-len(tasks) // columns)
    with styled():
        figure = Figure(figsize=(7 if columns > 1 else 3.4, 0.8 + 2.2 * lines))
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for one, task in zip(panels, tasks, strict=False):
            _draw_task(one, [row for row in rows if row["task"] == task], task)
        for one in panels[len(tasks) :]:
            one.remove()
        handles = panels[0].get_lines()
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        caption(figure, about_seeds(rows))
    return figure


def _draw_task(axes: "Axes", rows: Sequence[Row], task: str) -> None:
    for number, masks in enumerate(dict.fromkeys(row["masks"] for row in rows)):
        mine = [row for row in rows if row["masks"] == masks]
        mine.sort(key=lambda row: row["sparsity"])
        sparsities = list(dict.fromkeys(row["sparsity"] for row in mine))
        found = band(by_seed(mine, "sparsity", "score"))
        draw_band(axes, 100 * np.array(sparsities), found, number=number, label=masks)
    axes.set_title(task, fontsize=9)
    axes.set_xlabel("initial sparsity (%)")
    axes.set_ylabel(str(rows[0]["metric"]))
    _scale(axes, sorted({100 * row["sparsity"] for row in rows}))


def _scale(axes: "Axes", percents: Sequence[float]) -> None:
    """Ends apart: 1 to 5 % and 90 to 95 % both matter. Ticks that would touch are left out."""
    from matplotlib.ticker import FixedLocator, NullLocator

    def odds(percent: np.ndarray) -> np.ndarray:
        inside = np.clip(percent, 1e-3, 100 - 1e-3)
        return np.log10(inside / (100 - inside))

    def back(value: np.ndarray) -> np.ndarray:
        return 100 / (1 + 10.0**-value)

    axes.set_xscale("function", functions=(odds, back))
    ticks: list[float] = []
    for percent in percents:
        if not ticks or odds(np.array(percent)) - odds(np.array(ticks[-1])) > 0.35:
            ticks.append(percent)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
