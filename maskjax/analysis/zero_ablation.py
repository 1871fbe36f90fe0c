"""What the zeros of a block do: the change of the function when they are set back to one."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from maskjax.analysis.captions import rows_text, runs_text
from maskjax.analysis.figures import Frame, caption, draw_bands, new_figure, save_figure
from maskjax.analysis.heatmap import grid_of, height_of, place_of
from maskjax.analysis.resumable import compare_conditions
from maskjax.options import EvaluatedRows, EvaluatedSplit, Offline, RunFolders, StudyFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from maskjax.analysis.runs import Run
    from maskjax.tasks import Encoded, Split

ALL = "all"
"""The condition in which every zero is restored."""
MEASURES = {
    "score_change": "change of the score (points)",
    "logit_change": "mean |change of a logit|",
}


def zero_ablation(
    runs: RunFolders,
    *,
    out: StudyFolder,
    offline: Offline = False,
    split: EvaluatedSplit = None,
    rows: EvaluatedRows = None,
) -> None:
    """Sets the zeros of one block after the other back to one and scores what is left."""
    from maskjax.analysis.runs import study_runs

    loaded, console = study_runs(runs, offline=offline, masked=True), Console()
    by_name = {run.name: run for run in loaded}
    before = lru_cache(maxsize=1)(lambda name: _before(by_name[name], split, rows))
    frame = compare_conditions(
        loaded,
        lambda run: (*grid_of(run.masks)[0], ALL),
        lambda run, block: _restored(run, before(run.name), block),
        out / "restored.jsonl",
        console,
        name="block",
        split=split,
        rows=rows,
    )
    frame.insert(0, "task", [by_name[name].task.name for name in frame["run"]])
    frame.insert(1, "seed", [by_name[name].seed for name in frame["run"]])
    console.print(_table(frame))
    note = f"{rows_text(split, rows)}; {runs_text([run.seed for run in loaded])}"
    save_figure(draw_restored(frame, note), out / "restored", frame)


def restored_params(run: "Run", block: str) -> dict[str, Any]:
    """The params of a run with the zeros of one block restored."""
    from maskjax.masking import flatten_with_paths, update_leaves

    saved = run.saved
    weights = saved.weights
    chosen = [path for path in run.masks if block in (ALL, place_of(path)[0])]
    merged = flatten_with_paths(saved.params)
    whole = {path: np.asarray(weights[path], merged[path].dtype) for path in chosen}
    return update_leaves(saved.params, merged | whole)


def draw_restored(frame: Frame, note: str) -> "Figure":
    """Draws both changes by block: a line for each task, its mean and range over seeds.

    What restoring every zero does is written below the panels: it is far more than one block.
    """
    whole = frame[frame["block"] == ALL].groupby("task", sort=False)["score_change"].mean()
    by_block = frame[frame["block"] != ALL]
    blocks = sorted(by_block["block"].unique(), key=height_of)
    by_block = by_block.assign(place=by_block["block"].map(blocks.index))
    with new_figure(7, 2.9) as figure:
        panels = figure.subplots(1, 2)
        for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
            draw_bands(axes, by_block, "place", measure, "task")
            axes.set_xticks(range(len(blocks)), blocks)
            axes.set_ylabel(title, fontsize=8)
            axes.set_xlabel("block whose zeros are restored", fontsize=8)
        panels[0].axhline(0, color="black", linewidth=0.8)
        panels[1].set_ylim(bottom=0)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=7)
        changes = ", ".join(f"{task} {change:+.1f}" for task, change in whole.items())
        caption(figure, f"{note}; bands: all seeds. All blocks at once: {changes} points")
    return figure


def _before(run: "Run", split: str | None, rows: int | None) -> "tuple[Split, Encoded, np.ndarray]":
    """Rows, their tokens, and the logits of the run as it is."""
    data = run.split(split, rows)
    encoded = run.saved.encode(data)
    return data, encoded, run.saved.logits(encoded)


def _restored(
    run: "Run", before: "tuple[Split, Encoded, np.ndarray]", block: str
) -> Mapping[str, float]:
    from maskjax.inference import predict_labels, score_logits

    data, encoded, logits = before
    changed = run.saved._replace(params=restored_params(run, block)).logits(encoded)
    counts = [m.zeros for path, m in run.masks.items() if block in (ALL, place_of(path)[0])]
    scores = [score_logits(run.task, x, data.labels, data.sizes) for x in (logits, changed)]
    labels = [predict_labels(run.task, x) for x in (logits, changed)]
    return {
        "zeros": sum(counts),
        "score": scores[0],
        "score_restored": scores[1],
        "score_change": 100 * (scores[1] - scores[0]),
        "logit_change": float(np.nanmean(np.abs(changed - logits))),
        "predictions_changed": float(np.mean(labels[0] != labels[1])),
    }


def _table(frame: Frame) -> Table:
    heads = ("block", "zeros", "score", "restored", "mean |Δ logit|")
    table = Table(Column("run", overflow="fold"), *heads)
    for row in frame.itertuples():
        scores = (row.score, row.score_restored, row.logit_change)
        table.add_row(row.run, row.block, f"{row.zeros:,}", *(f"{score:.4f}" for score in scores))
    return table
