"""Generalization across data sets: runs trained on one, scored on the rows of others.

The measure is the gain in accuracy over the majority vote, since data sets differ in how far a
constant answer comes (Zhao et al. 2020, section 6.1).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from maskjax.analysis.figures import COLORS, Row, save_figure, styled
from maskjax.analysis.heatmap import caption
from maskjax.analysis.resumable import run_cells
from maskjax.analysis.runs import Run, rows_text, runs_text
from maskjax.errors import InputError
from maskjax.inference import predict_labels
from maskjax.tasks import Split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
"""The hatches of the bars of each method, which stay different in gray."""


def map_labels(labels: np.ndarray, names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Class ids of one data set as those of another that has the same labels in another order.

    Example:
        >>> map_labels(np.array([0, 1, 1]), ("no", "yes"), ("yes", "no")).tolist()
        [1, 0, 0]
    """
    return np.array([list(wanted).index(name) for name in names], np.int32)[labels]


def majority_share(labels: np.ndarray) -> float:
    """The accuracy of the best constant answer.

    Example:
        >>> majority_share(np.array([0, 1, 1, 1]))
        0.75
    """
    return float(np.bincount(labels).max() / len(labels))


def study_transfer(
    runs: Sequence[Run],
    out: Path,
    console: Console,
    *,
    split: str | None = None,
    rows: int | None = None,
) -> tuple[Path, ...]:
    """Scores every run on the rows of the tasks of all of them."""
    _check(runs)
    by_name = {run.name: run for run in runs}
    owners = {run.task.name: run for run in reversed(runs)}
    tasks = list(dict.fromkeys(run.task.name for run in runs))
    read = cache(lambda task: owners[task].split(split, rows))
    keys = [
        {"run": run.name, "digest": run.digest, "on": task, "split": split, "rows": rows}
        for run, task in product(runs, tasks)
    ]
    amount = rows_text(split, rows)
    cost = f"{len(keys)} evaluations on {amount} of each task; the first cell shows how long"
    console.print(cost, highlight=False)
    cells = run_cells(
        keys,
        lambda key: _score(by_name[key["run"]], owners[key["on"]], read(key["on"])),
        out / "transfer.jsonl",
        console=console,
    )
    cells = [
        {"trained_on": (run := by_name[c["run"]]).task.name, "method": run.method, **c}
        for c in cells
    ]
    console.print(_table(cells))
    note = f"{amount}; {runs_text(runs)}; dots: runs"
    return save_figure(draw_transfer(cells, note), out / "transfer", cells)


def draw_transfer(cells: Sequence[Row], note: str) -> "Figure":
    """Draws the gain over the majority vote for each pair of data sets and each method."""
    from matplotlib.figure import Figure

    found = _gains(cells)
    pairs = list(dict.fromkeys((trained, on) for trained, on, _ in found))
    methods = list(dict.fromkeys(method for *_, method in found))
    width = 0.8 / len(methods)
    with styled():
        figure = Figure(figsize=(7 if len(pairs) > 4 else 3.4, 3.2))
        axes = figure.subplots()
        for number, method in enumerate(methods):
            own = [(x, found[*p, method]) for x, p in enumerate(pairs) if (*p, method) in found]
            places = np.array([x for x, _ in own]) + (number - (len(methods) - 1) / 2) * width
            color, hatch = COLORS[number % len(COLORS)], HATCHES[number % len(HATCHES)]
            bar: dict[str, Any] = {
                "color": color,
                "hatch": hatch,
                "edgecolor": "white",
                "label": method,
            }
            axes.bar(places, [100 * np.mean(gains) for _, gains in own], width, **bar)
            for place, (_, gains) in zip(places, own, strict=True):
                axes.plot([place] * len(gains), 100 * np.array(gains), "k.", markersize=4)
        axes.axhline(0, color="black", linewidth=0.8)
        names = [f"{trained}\n→ {on}" for trained, on in pairs]
        turn = 90 if len(pairs) > 8 else 0
        axes.set_xticks(range(len(pairs)), names, fontsize=7, rotation=turn)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("accuracy over majority vote (points)", fontsize=8)
        figure.legend(loc="outside upper center", ncols=len(methods), fontsize=7)
        caption(figure, note)
    return figure


def _check(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs:
        if run.task.kind != "classification":
            raise InputError(
                f"{run.name}: expected a run of classification, got one of {run.task.kind}."
            )
        if len(run.task.text) != len(first.task.text):
            raise InputError(
                f"{run.name}: expected a run on as many texts as {first.name}, "
                f"{len(first.task.text)} a row, got {len(run.task.text)}."
            )


def _score(run: Run, owner: Run, split: Split) -> Mapping[str, float]:
    labels = map_labels(split.labels, owner.task.labels, run.task.labels)
    predictor = run.predictor
    found = predict_labels(run.task, predictor.logits(predictor.encode(split)))
    accuracy, majority = float(np.mean(found == labels)), majority_share(labels)
    return {"accuracy": accuracy, "majority": majority, "gain": accuracy - majority}


def _gains(cells: Sequence[Row]) -> dict[tuple[str, str, str], list[float]]:
    """The gains of all runs, seeds and the like, by where they learned, are scored, and how."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for cell in cells:
        place = (cell["trained_on"], cell["on"], cell["method"])
        found.setdefault(place, []).append(cell["gain"])
    return found


def _table(cells: Sequence[Row]) -> Table:
    title = "accuracy over the majority vote: mean ± deviation of runs"
    table = Table("trained on", "scored on", "method", "gain (points)", "runs", title=title)
    for (trained, on, method), gains in _gains(cells).items():
        spread = f" ± {100 * np.std(gains, ddof=1):.1f}" if len(gains) > 1 else ""
        table.add_row(trained, on, method, f"{100 * np.mean(gains):.1f}{spread}", str(len(gains)))
    return table
