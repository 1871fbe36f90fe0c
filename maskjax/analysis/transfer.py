"""Generalization across data sets: runs trained on one, scored on the rows of others.

The measure is the gain in accuracy over the majority vote, since data sets differ in how far a
constant answer comes (Zhao et al. 2020, section 6.1).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from maskjax.analysis.captions import rows_text, runs_text
from maskjax.analysis.figures import COLORS, Frame, caption, new_figure, save_figure
from maskjax.analysis.resumable import compare_conditions
from maskjax.errors import InputError
from maskjax.options import EvaluatedRows, EvaluatedSplit, Offline, RunFolders, StudyFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from maskjax.analysis.runs import Run
    from maskjax.tasks import Split

HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
"""The hatches of the bars of each method, which stay different in gray."""


def transfer(
    runs: RunFolders,
    *,
    out: StudyFolder,
    offline: Offline = False,
    split: EvaluatedSplit = None,
    rows: EvaluatedRows = None,
) -> None:
    """Scores runs on the rows of each other's tasks, as the gain over the majority vote.

    The tasks have the same labels, in any order, such as glue/rte and glue/qnli.
    """
    from maskjax.analysis.runs import study_runs

    loaded, console = study_runs(runs, "label set", offline=offline), Console()
    _check(loaded)
    owners = {run.task.name: run for run in reversed(loaded)}
    tasks = list(dict.fromkeys(run.task.name for run in loaded))
    read = cache(lambda task: owners[task].split(split, rows))
    frame = compare_conditions(
        loaded,
        lambda _: tasks,
        lambda run, task: _score(run, owners[task], read(task)),
        out / "transfer.jsonl",
        console,
        name="on",
        split=split,
        rows=rows,
    )
    by_name = {run.name: run for run in loaded}
    frame.insert(0, "trained_on", [by_name[name].task.name for name in frame["run"]])
    frame.insert(1, "method", [by_name[name].method for name in frame["run"]])
    console.print(_table(frame))
    note = f"{rows_text(split, rows)}; {runs_text([run.seed for run in loaded])}; dots: runs"
    save_figure(draw_transfer(frame, note), out / "transfer", frame)


def map_labels(labels: np.ndarray, names: Sequence[str], target_names: Sequence[str]) -> np.ndarray:
    """Class ids of one data set as those of another that has the same labels in another order.

    Example:
        >>> map_labels(np.array([0, 1, 1]), ("no", "yes"), ("yes", "no")).tolist()
        [1, 0, 0]
    """
    return np.array([list(target_names).index(name) for name in names], np.int32)[labels]


def majority_share(labels: np.ndarray) -> float:
    """The accuracy of the best constant answer.

    Example:
        >>> majority_share(np.array([0, 1, 1, 1]))
        0.75
    """
    return float(np.bincount(labels).max() / len(labels))


def draw_transfer(frame: Frame, note: str) -> "Figure":
    """Draws the gain over the majority vote for each pair of data sets and each method."""
    pairs = frame["trained_on"] + "\n→ " + frame["on"]
    names, methods = list(pairs.unique()), list(frame["method"].unique())
    width = 0.8 / len(methods)
    with new_figure(7 if len(names) > 4 else 3.4, 3.2) as figure:
        axes = figure.subplots()
        for number, method in enumerate(methods):
            own = (100 * frame["gain"]).where(frame["method"] == method).dropna()
            places = pairs[own.index].map(names.index) + (number - (len(methods) - 1) / 2) * width
            means = own.groupby(places).mean()
            color, hatch = COLORS[number % len(COLORS)], HATCHES[number % len(HATCHES)]
            style = {"color": color, "hatch": hatch, "edgecolor": "white", "label": method}
            axes.bar(means.index, means, width, **style)
            axes.plot(places, own, "k.", markersize=4)
        axes.axhline(0, color="black", linewidth=0.8)
        turn = 90 if len(names) > 8 else 0
        axes.set_xticks(range(len(names)), names, fontsize=7, rotation=turn)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("accuracy over majority vote (points)", fontsize=8)
        figure.legend(loc="outside upper center", ncols=len(methods), fontsize=7)
        caption(figure, note)
    return figure


def _check(runs: Sequence["Run"]) -> None:
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


def _score(run: "Run", owner: "Run", split: "Split") -> Mapping[str, float]:
    from maskjax.inference import predict_labels

    labels = map_labels(split.labels, owner.task.labels, run.task.labels)
    saved = run.saved
    predicted = predict_labels(run.task, saved.logits(saved.encode(split)))
    accuracy, majority = float(np.mean(predicted == labels)), majority_share(labels)
    return {"accuracy": accuracy, "majority": majority, "gain": accuracy - majority}


def _table(frame: Frame) -> Table:
    title = "accuracy over the majority vote: mean ± deviation of runs"
    table = Table("trained on", "scored on", "method", "gain (points)", "runs", title=title)
    for names, gains in frame.groupby(["trained_on", "on", "method"], sort=False)["gain"]:
        spread = f" ± {100 * gains.std():.1f}" if len(gains) > 1 else ""
        table.add_row(*names, f"{100 * gains.mean():.1f}{spread}", str(len(gains)))
    return table
