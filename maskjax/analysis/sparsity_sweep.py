"""Score against the fraction of zeros that masks start with (Zhao et al. 2020)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from maskjax.analysis.figures import Frame, caption, draw_bands, new_figure, save_figure
from maskjax.analysis.sweeps import Plan, about_seeds, run_sweep, sweep_configs
from maskjax.config import Config
from maskjax.config.check import check
from maskjax.options import EvaluatedSplit, MoreSettings, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Masks = Literal["learned", "magnitude", "random"]
DroppingInit = Literal["uniform", "magnitude", "random", "double_uniform"]
MASKS: tuple[Masks, ...] = ("learned", "magnitude", "random")
SPARSITIES = (0.01, 0.03, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95)


def sparsity_sweep(
    config: Settings,
    *,
    more_configs: MoreSettings = (),
    out: Path = Path("runs/sparsity"),
    split: EvaluatedSplit = None,
    seeds: int | None = None,
    offline: bool = False,
    sparsities: tuple[float, ...] = SPARSITIES,
    masks: tuple[Masks, ...] = MASKS,
    initializer: DroppingInit = "uniform",
) -> None:
    """Trains masks from several sparsities on, and heads over masks that nothing learned.

    --config loads an experiment, a packaged one by name (tasks:sst2) or a file by its path
    (mine.py), and may be given once per task; every option below overrides one of its settings.

    Args:
        out: The folder of the figure and of the runs; a sweep that was stopped resumes there.
        seeds: How many seeds of each setting; short for --train.seeds.
        offline: Never ask the network, use only what is stored locally; short for
            --model.offline.
        sparsities: Fractions of zeros that masks start with.
        masks: `learned`, and controls that only train the head: `magnitude` drops the smallest
            weights of each matrix, `random` any.
        initializer: How the scores of learned masks are initialized.
    """
    configs = sweep_configs(config, more_configs, seeds=seeds, offline=offline)
    plans = sparsity_plans(configs, sparsities, masks, initializer)
    settings = {"masks": str, "sparsity": lambda sparsity: f"{100 * sparsity:g}%"}
    frame = run_sweep(plans, out, split=split, settings=settings)
    save_figure(draw_sparsity(frame), out / "sparsity", frame)


def sparsity_plans(
    configs: Sequence[Config],
    sparsities: Sequence[float],
    masks: Sequence[Masks],
    initializer: DroppingInit = "uniform",
) -> list[Plan]:
    """What the sweep trains."""
    from maskjax.analysis.baselines import control_config

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


def draw_sparsity(frame: Frame) -> "Figure":
    """Draws a panel for each task: the mean over seeds, and a band that holds all of them."""
    tasks = frame.assign(percent=100 * frame["sparsity"]).groupby("task", sort=False)
    columns = min(len(tasks), 3)
    lines = -(-len(tasks) // columns)
    with new_figure(7 if columns > 1 else 3.4, 0.8 + 2.2 * lines) as figure:
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for one, (task, own) in zip(panels, tasks, strict=False):
            draw_bands(one, own, "percent", "score", "masks")
            one.set_title(task, fontsize=9)
            one.set_xlabel("initial sparsity (%)")
            one.set_ylabel(own["metric"].iloc[0])
            _scale(one, sorted(own["percent"].unique()))
        for one in panels[len(tasks) :]:
            one.remove()
        handles = panels[0].get_lines()
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        caption(figure, about_seeds(frame))
    return figure


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
