"""What the zeros of a block do: the change of the function when they are set back to one."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from maskjax.analysis.bands import Band, draw_band
from maskjax.analysis.figures import Row, save_figure, styled
from maskjax.analysis.heatmap import TOP, caption, grid_of, place_of
from maskjax.analysis.resumable import run_cells
from maskjax.analysis.runs import Run, check_masked, rows_text, runs_text
from maskjax.inference import predict_labels, score_logits
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.tasks import Encoded, Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALL = "all"
"""The name of the cell in which every zero is restored."""
MEASURES = {
    "score_change": "change of the score (points)",
    "logit_change": "mean |change of a logit|",
}


def study_restored(
    runs: Sequence[Run],
    out: Path,
    console: Console,
    *,
    split: str | None = None,
    rows: int | None = None,
) -> tuple[Path, ...]:
    """Restores the zeros of one block after the other and scores what is left of the mask."""
    for run in runs:
        check_masked(run)
    by_name = {run.name: run for run in runs}
    keys = [
        {"run": run.name, "digest": run.digest, "split": split, "rows": rows, "block": block}
        for run in runs
        for block in (*grid_of(run.masks)[0], ALL)
    ]
    amount = rows_text(split, rows)
    cost = f"{len(keys) + len(runs)} evaluations on {amount} of each run's task"
    console.print(f"{cost}; the first cell shows how long", highlight=False)
    before = lru_cache(maxsize=1)(lambda name: _before(by_name[name], split, rows))
    cells = run_cells(
        keys,
        lambda key: _restored(by_name[key["run"]], before(key["run"]), key["block"]),
        out / "restored.jsonl",
        console=console,
    )
    cells = [
        {"task": (run := by_name[cell["run"]]).task.name, "seed": run.seed, **cell}
        for cell in cells
    ]
    console.print(_table(cells))
    note = f"{amount}; {runs_text(runs)}"
    return save_figure(draw_restored(cells, note), out / "restored", cells)


def restored_params(run: Run, block: str) -> dict[str, Any]:
    """The params of a run with the zeros of one block restored."""
    predictor = run.predictor
    weights = run.predictor.weights
    chosen = [path for path in run.masks if block in (ALL, place_of(path)[0])]
    merged = flatten_with_paths(predictor.params)
    whole = {path: np.asarray(weights[path], merged[path].dtype) for path in chosen}
    return update_leaves(predictor.params, merged | whole)


def draw_restored(cells: Sequence[Row], note: str) -> "Figure":
    """Draws both changes by block: a line for each task, its mean and range over seeds.

    What restoring every zero does is written below the panels.
    """
    from matplotlib.figure import Figure

    blocks = sorted({cell["block"] for cell in cells} - {ALL}, key=_height)
    with styled():
        figure = Figure(figsize=(7, 2.9))
        panels = figure.subplots(1, 2)
        for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
            _draw_tasks(axes, cells, blocks, measure)
            axes.set_ylabel(title, fontsize=8)
            axes.set_xlabel("block whose zeros are restored", fontsize=8)
        panels[0].axhline(0, color="black", linewidth=0.8)
        panels[1].set_ylim(bottom=0)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=7)
        caption(figure, f"{note}; bands: all seeds. All blocks at once: {_all(cells)} points")
    return figure


def _draw_tasks(axes: "Axes", cells: Sequence[Row], blocks: list[str], measure: str) -> None:
    for number, task in enumerate(dict.fromkeys(cell["task"] for cell in cells)):
        own = [[c[measure] for c in cells if (c["task"], c["block"]) == (task, b)] for b in blocks]
        places = [place for place, values in enumerate(own) if values]
        values = [own[place] for place in places]
        mean, low, high = (np.array([f(some) for some in values]) for f in (np.mean, min, max))
        draw_band(axes, places, Band(mean, low, high), number=number, label=task)
    axes.set_xticks(range(len(blocks)), blocks)


def _before(run: Run, split: str | None, rows: int | None) -> tuple[Split, Encoded, np.ndarray]:
    """Rows, their tokens, and the logits of the run as it is."""
    data = run.split(split, rows)
    encoded = run.predictor.encode(data)
    return data, encoded, run.predictor.logits(encoded)


def _restored(
    run: Run, before: tuple[Split, Encoded, np.ndarray], block: str
) -> Mapping[str, float]:
    data, encoded, logits = before
    changed = run.predictor._replace(params=restored_params(run, block)).logits(encoded)
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


def _height(block: str) -> tuple[bool, int]:
    """From bottom to top."""
    return block == TOP, 0 if block == TOP else int(block)


def _all(cells: Sequence[Row]) -> str:
    """What restoring every zero costs: far more than one block, so that it is no point there."""
    whole: dict[str, list[float]] = {}
    for cell in cells:
        if cell["block"] == ALL:
            whole.setdefault(cell["task"], []).append(cell["score_change"])
    return ", ".join(f"{task} {np.mean(found):+.1f}" for task, found in whole.items())


def _table(cells: Sequence[Row]) -> Table:
    table = Table(
        Column("run", overflow="fold"), "block", "zeros", "score", "restored", "mean |Δ logit|"
    )
    for cell in cells:
        table.add_row(
            cell["run"],
            cell["block"],
            f"{cell['zeros']:,}",
            f"{cell['score']:.4f}",
            f"{cell['score_restored']:.4f}",
            f"{cell['logit_change']:.4f}",
        )
    return table
