"""Score and bytes of masks over some of the matrices: which layers are worth masking.

Zhao et al. 2020 mask blocks from the top down and from the bottom up. The pooler,
where a model has one, is masked with any blocks, as it is by default.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from rich.console import Console

from maskjax.analysis.bands import band, draw_band
from maskjax.analysis.figures import Row, look, save_figure, styled
from maskjax.analysis.heatmap import caption
from maskjax.analysis.sweeps import Plan, about_seeds, by_seed, scores_of, sweep_table, train_plans
from maskjax.config import Config
from maskjax.masking import flatten_with_paths
from maskjax.models import head_paths
from maskjax.models.matrix_types import MATRIX_TYPES, matrix_type
from maskjax.training import prepare

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Order = Literal["bottom-up", "top-down", "only", "all but"]
BLOCKS: tuple[Order, ...] = ("bottom-up", "top-down")
ORDERS: tuple[Order, ...] = (*BLOCKS, "only", "all but")


class Places(NamedTuple):
    """What can be masked in a model.

    Attributes:
        blocks: How many.
        kinds: The kinds of pretrained matrices.
    """

    blocks: int
    kinds: tuple[str, ...]


def places_of(config: Config) -> Places:
    """What can be masked in the model of a run."""
    model = prepare(config).model
    pretrained = flatten_with_paths(model.abstract).keys() - set(head_paths(model))
    found = {matrix_type(path) for path in pretrained}
    return Places(model.config.num_layers, tuple(kind for kind in MATRIX_TYPES if kind in found))


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
            for kind in places.kinds:
                others = tuple(other for other in places.kinds if other != kind)
                kinds = (kind,) if order == "only" else others
                plans.append(_plan(config, order, kind, None, kinds=kinds))
    return plans


def study_layers(
    plans: Sequence[Plan], out: Path, console: Console, *, split: str = "dev"
) -> tuple[Path, ...]:
    """Trains masks over some of the matrices, and draws scores and bytes."""
    rows = scores_of(train_plans(plans, out, console), split)
    console.print(sweep_table(rows, {"order": str, "masked": str}, "runs"))
    files: list[Path] = []
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        files += save_figure(draw_layers(mine), out / f"layers-{task.replace('/', '_')}", mine)
    return tuple(files)


def draw_layers(rows: Sequence[Row]) -> "Figure":
    """Draws blocks to the left and kinds to the right, scores above and bytes below."""
    from matplotlib.figure import Figure

    blocks = [row for row in rows if row["order"] in BLOCKS]
    kinds = [row for row in rows if row["order"] not in BLOCKS]
    drawn = [some for some in (blocks, kinds) if some]
    with styled():
        figure = Figure(figsize=(7 if len(drawn) > 1 else 3.4, 4.8))
        panels = figure.subplots(2, len(drawn), sharex="col", squeeze=False)
        for column, mine in enumerate(drawn):
            for one, value in zip(panels[:, column], ("score", "kB"), strict=True):
                (_draw_blocks if mine is blocks else _draw_kinds)(one, mine, value)
            legend = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
            panels[0][column].legend(**legend)
        panels[0][0].set_ylabel(str(rows[0]["metric"]))
        panels[1][0].set_ylabel("task file (kB)")
        caption(figure, f"{rows[0]['task']}, {about_seeds(rows)}")
    return figure


def _plan(config: Config, order: Order, masked: str, count: int | None, **settings: Any) -> Plan:
    adaptation = replace(config.adaptation, method="mask", **settings)
    key = {"task": config.task.name, "order": order, "masked": masked, "count": count}
    return Plan(key, replace(config, adaptation=adaptation))


def _draw_blocks(axes: "Axes", rows: Sequence[Row], value: str) -> None:
    for number, order in enumerate(dict.fromkeys(row["order"] for row in rows)):
        mine = [row for row in rows if row["order"] == order]
        counts = list(dict.fromkeys(row["count"] for row in mine))
        found = band(by_seed(mine, "count", value))
        draw_band(axes, counts, found, number=number, label=order)
    if value == "kB":
        axes.set_xlabel("masked blocks")
        axes.set_xticks(sorted({row["count"] for row in rows}))


def _draw_kinds(axes: "Axes", rows: Sequence[Row], value: str) -> None:
    for number, order in enumerate(dict.fromkeys(row["order"] for row in rows)):
        mine = [row for row in rows if row["order"] == order]
        names = list(dict.fromkeys(row["masked"] for row in mine))
        found = band(by_seed(mine, "masked", value))
        reach = (found.mean - found.low, found.high - found.mean)
        style, places = look(number), np.arange(len(names)) + 0.12 * (2 * number - 1)
        options = {"color": style.color, "marker": style.marker, "markersize": 4}
        axes.errorbar(places, found.mean, reach, linestyle="none", label=order, **options)
        labels = [name.replace("_", " ") for name in names]
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor", "fontsize": 8}
        axes.set_xticks(range(len(names)), labels, **turned)
