"""Score and bytes of masks over some of the matrices: which layers are worth masking.

Zhao et al. 2020 mask blocks from the top down and from the bottom up. The pooler,
where a model has one, is masked with any blocks, as it is by default.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from maskjax.analysis.figures import Frame, caption, draw_bands, line_style, new_figure, save_figure
from maskjax.analysis.sweeps import Plan, about_seeds, run_sweep, sweep_configs
from maskjax.config import Config
from maskjax.options import EvaluatedSplit, MoreSettings, Settings, check_least

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Order = Literal["bottom-up", "top-down", "only", "all but"]
BLOCKS: tuple[Order, ...] = ("bottom-up", "top-down")
ORDERS: tuple[Order, ...] = (*BLOCKS, "only", "all but")


def layer_sweep(
    config: Settings,
    *,
    more_configs: MoreSettings = (),
    out: Path = Path("runs/layers"),
    split: EvaluatedSplit = None,
    seeds: int | None = None,
    offline: bool = False,
    orders: tuple[Order, ...] = ORDERS,
    every: int = 1,
) -> None:
    """Trains masks over some blocks, or some matrix types, and compares score and bytes.

    --config loads an experiment, a packaged one by name (tasks:sst2) or a file by its path
    (mine.py), and may be given once per task; every option below overrides one of its settings.

    Args:
        out: The folder of the figures and of the runs; a sweep that was stopped resumes there.
        seeds: How many seeds of each setting; short for --train.seeds.
        offline: Never ask the network, use only what is stored locally; short for
            --model.offline.
        orders: `bottom-up` masks the first n blocks and `top-down` the last n; `only` masks one
            matrix type, and `all but` all others.
        every: Blocks that are added at a time.
    """
    check_least(every=(every, 1))
    configs = sweep_configs(config, more_configs, seeds=seeds, offline=offline)
    plans = [
        plan for swept in configs for plan in layer_plans(swept, places_of(swept), orders, every)
    ]
    frame = run_sweep(plans, out, split=split, settings={"order": str, "masked": str})
    frame = frame.astype({"count": "Int64"})  # none of them where matrix types are masked
    for task, own in frame.groupby("task", sort=False):
        save_figure(draw_layers(own), out / f"layers-{str(task).replace('/', '_')}", own)


class Places(NamedTuple):
    """What can be masked in a model."""

    blocks: int  # their number
    matrix_types: tuple[str, ...]  # of pretrained matrices


def places_of(config: Config) -> Places:
    """What can be masked in the model of a run."""
    from maskjax.masking import flatten_with_paths
    from maskjax.models import head_paths
    from maskjax.models.matrix_types import MATRIX_TYPES, matrix_type
    from maskjax.training import prepare

    model = prepare(config).model
    pretrained = flatten_with_paths(model.abstract).keys() - set(head_paths(model))
    present = {matrix_type(path) for path in pretrained}
    return Places(model.config.num_blocks, tuple(name for name in MATRIX_TYPES if name in present))


def layer_plans(
    config: Config, places: Places, orders: Sequence[Order], every: int = 1
) -> list[Plan]:
    """What the sweep trains.

    Example:
        >>> plans = layer_plans(Config(), Places(3, ("key", "value")), ORDERS, every=2)
        >>> [plan.key["masked"] for plan in plans]
        ['0-1', '0-2', '1-2', '0-2', 'key', 'value', 'key', 'value']
    """
    counts = [*range(every, places.blocks, every), places.blocks]
    plans = []
    for order in orders:
        if order in BLOCKS:
            for count in counts:
                first = 0 if order == "bottom-up" else places.blocks - count
                blocks = (first, first + count - 1)
                plans.append(_plan(config, order, f"{first}-{blocks[1]}", count, blocks=blocks))
        else:
            for name in places.matrix_types:
                others = tuple(other for other in places.matrix_types if other != name)
                types = (name,) if order == "only" else others
                plans.append(_plan(config, order, name, None, matrix_types=types))
    return plans


def draw_layers(frame: Frame) -> "Figure":
    """Draws blocks to the left and matrix types to the right, scores above and bytes below."""
    frame = frame.assign(kB=frame["bytes"] / 1000)
    of_blocks = frame["order"].isin(BLOCKS)
    columns = [
        (own, draw)
        for own, draw in ((frame[of_blocks], _draw_blocks), (frame[~of_blocks], _draw_types))
        if len(own)
    ]
    with new_figure(7 if len(columns) > 1 else 3.4, 4.8) as figure:
        panels = figure.subplots(2, len(columns), sharex="col", squeeze=False)
        for (score, size), (own, draw) in zip(panels.T, columns, strict=True):
            draw(score, own, "score")
            draw(size, own, "kB")
            score.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        panels[0][0].set_ylabel(frame["metric"].iloc[0])
        panels[1][0].set_ylabel("task file (kB)")
        caption(figure, f"{frame['task'].iloc[0]}, {about_seeds(frame)}")
    return figure


def _plan(config: Config, order: Order, masked: str, count: int | None, **settings: Any) -> Plan:
    adaptation = replace(config.adaptation, method="mask", **settings)
    key = {"task": config.task.name, "order": order, "masked": masked, "count": count}
    return Plan(key, replace(config, adaptation=adaptation))


def _draw_blocks(axes: "Axes", frame: Frame, value: str) -> None:
    draw_bands(axes, frame, "count", value, "order")
    if value == "kB":
        axes.set_xlabel("masked blocks")
        axes.set_xticks(sorted(frame["count"].unique()))


def _draw_types(axes: "Axes", frame: Frame, value: str) -> None:
    names = list(frame["masked"].unique())
    for number, (order, own) in enumerate(frame.groupby("order", sort=False)):
        spread = own.groupby("masked")[value].agg(["mean", "min", "max"]).reindex(names)
        reach = (spread["mean"] - spread["min"], spread["max"] - spread["mean"])
        style, places = line_style(number), np.arange(len(names)) + 0.12 * (2 * number - 1)
        options = {"color": style.color, "marker": style.marker, "markersize": 4}
        axes.errorbar(places, spread["mean"], reach, linestyle="none", label=order, **options)
    labels = [name.replace("_", " ") for name in names]
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor", "fontsize": 8}
    axes.set_xticks(range(len(names)), labels, **turned)
