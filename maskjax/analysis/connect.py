"""Whether minima are connected: loss and score along curves between runs of one task.

Zhao et al. 2020 join a masked and a finetuned model by a line, along which accuracy
hardly changes; Garipov et al. 2018 join minima that no line joins by curves with a trained bend.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from maskjax.analysis.barrier import barrier, drop
from maskjax.analysis.captions import TRAIN, seeds_text
from maskjax.analysis.figures import Frame, caption, draw_bands, new_figure, save_figure, save_table
from maskjax.analysis.resumable import run_jobs
from maskjax.errors import InputError
from maskjax.options import Offline, RunFolders, StudyFolder, check_least

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from maskjax.analysis.curve_evaluation import Walk
    from maskjax.analysis.runs import Run


class Pair(NamedTuple):
    """Two runs to go between."""

    first: "Run"  # at γ = 0; of a mixed pair the one that learned a mask
    last: "Run"  # at γ = 1

    @property
    def group(self) -> str:
        """The methods of both."""
        return f"{self.first.method}–{self.last.method}"


def connect(
    runs: RunFolders,
    *,
    out: StudyFolder,
    offline: Offline = False,
    curves: tuple[Literal["line", "bezier", "chain"], ...] = ("line",),
    points: int = 25,
    rows: int = 1000,
    split: str | None = None,
    steps: int = 300,
    learning_rate: float = 1e-4,
) -> None:
    """Walks between every two runs of one task and measures the barriers between them.

    Several seeds of a method, or of two, give a band for each pair of methods. Rows, lengths and
    precision are those of the first run.

    Args:
        curves: `line` is straight; the bends of `bezier` and `chain` are trained.
        points: The number of points of a curve, both ends included.
        rows: The first so many rows of each split.
        split: The split to score in addition to train; by default dev, else test, else holdout.
        steps: Training steps of each bend, on all training rows.
        learning_rate: The highest one of a bend's training.
    """
    from pandas import DataFrame

    from maskjax.analysis.curve_evaluation import Walk, Walker
    from maskjax.analysis.runs import study_runs

    if not curves:
        raise InputError("--curves: expected some of line, bezier and chain, got none.")
    check_least(points=(points, 3), rows=(rows, 1), steps=(steps, 1))
    if split == TRAIN:
        raise InputError("--split: expected a split other than train, such as dev or test.")
    if learning_rate <= 0:
        raise InputError(f"--learning-rate: expected more than 0, got {learning_rate}.")
    loaded, console = study_runs(runs, "task", offline=offline, least=2), Console()
    split = split or loaded[0].default_split
    walk = Walk(points=points, rows=rows, split=split, steps=steps, learning_rate=learning_rate)
    names, pairs = list(dict.fromkeys(curves)), pairs_of(loaded)
    console.print(_cost(len(pairs), names, walk), highlight=False, soft_wrap=True)
    walker = Walker(loaded, walk, console)
    keys = [walker.key(*pair, name) for name in names for pair in pairs]
    jobs = run_jobs(keys, walker, out / "connect.jsonl", console=console)
    walked = list(zip(pairs * len(names), jobs, strict=True))
    frame = DataFrame([row for pair, job in walked for row in _points(pair, job, split)])
    barriers = DataFrame([row for pair, job in walked for row in _barriers(pair, job, split)])
    metric, counts = loaded[0].task.metric, {name: jobs[0][name]["rows"] for name in (TRAIN, split)}
    for name in names:
        own = frame[frame["curve"] == name]
        about = f"{loaded[0].task.name}, {name}, {seeds_text(run.seed for run in loaded)}"
        save_figure(draw_curves(own, metric, counts, about), out / f"connect-{name}", own)
    console.print(_table(barriers, metric))
    save_table(out / "connect-barriers", barriers)


def pairs_of(runs: Sequence["Run"]) -> list[Pair]:
    """All pairs of runs; those of two methods all go the same way."""
    ordered = sorted(runs, key=lambda run: (run.method != "mask", run.method))
    pairs = [Pair(first, last) for first, last in combinations(ordered, 2)]
    return sorted(pairs, key=lambda pair: pair.group)


def draw_curves(frame: Frame, metric: str, counts: Mapping[str, int], about: str) -> "Figure":
    """Draws the mean over pairs of runs, a line and a band for each group."""
    pairs = frame.drop_duplicates(["first", "last"])["group"].value_counts(sort=False)
    every = max(frame["gamma"].nunique() // 6, 1)
    with new_figure(7, 4.6) as figure:
        axes = figure.subplots(2, len(counts), sharex=True, sharey="row", squeeze=False)
        for column, (split, count) in enumerate(counts.items()):
            own = frame[frame["split"] == split]
            axes[0][column].set_title(f"{split}, {count:,} rows", fontsize=9)
            for value, one in zip(("loss", "score"), axes[:, column], strict=True):
                draw_bands(one, own, "gamma", value, "group", markevery=every)
            axes[1][column].set_xlabel("position γ on the path")
        axes[0][0].set_ylabel("loss")
        axes[1][0].set_ylabel(metric)
        handles = axes[0][0].get_lines()
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        notes = [f"{group}: {count} pair{'s' * (count > 1)}" for group, count in pairs.items()]
        text = "Lines are means over pairs of runs, bands hold all of them"
        caption(figure, f"{about}. {text}.\n{', '.join(notes)}.")
    return figure


def _cost(pairs: int, curves: Sequence[str], walk: "Walk") -> str:
    text = (
        f"{pairs} pairs of runs, {', '.join(curves)}: {len(curves) * pairs} paths of "
        f"{walk.points} points, each on {walk.rows:,} rows of {TRAIN} and of {walk.split}"
    )
    bends = pairs * sum(name != "line" for name in curves)
    return text + (f"; {bends} bends of {walk.steps} training steps" if bends else "")


def _points(pair: Pair, job: Mapping[str, Any], split: str) -> Iterator[dict[str, Any]]:
    """A row of the figure's table for each point."""
    gammas = np.linspace(0, 1, job["points"]).tolist()
    for name in (TRAIN, split):
        for gamma, loss, score in zip(gammas, job[name]["loss"], job[name]["score"], strict=True):
            heights = {"gamma": round(gamma, 6), "loss": loss, "score": score}
            yield {**_place(pair, job, name), **heights}


def _barriers(pair: Pair, job: Mapping[str, Any], split: str) -> Iterator[dict[str, Any]]:
    """A row of the table of barriers for each split."""
    gammas = np.linspace(0, 1, job["points"])
    for name in (TRAIN, split):
        loss, score = (np.array(job[name][value]) for value in ("loss", "score"))
        ends = {"first_loss": loss[0], "last_loss": loss[-1]}
        ends |= {"first_score": score[0], "last_score": score[-1]}
        heights = {"barrier": barrier(gammas, loss), "drop": drop(gammas, score)}
        yield {**_place(pair, job, name), **heights, **ends}


def _place(pair: Pair, job: Mapping[str, Any], split: str) -> dict[str, Any]:
    runs = {"first": pair.first.name, "last": pair.last.name}
    return {"group": pair.group, **runs, "curve": job["curve"], "split": split}


def _table(barriers: Frame, metric: str) -> Table:
    """Means over the pairs of a group."""
    columns = ("curve", "split", "barrier of loss", f"drop of {metric}")
    table = Table("pairs", *columns, title="barriers, mean (lowest to highest)")
    for (group, *where), own in barriers.groupby(["group", "curve", "split"], sort=False):
        heights = (_spread(own[name]) for name in ("barrier", "drop"))
        table.add_row(f"{len(own)} {group}", *where, *heights)
    return table


def _spread(values: Any) -> str:
    mean = f"{values.mean():.3f}"
    return mean if len(values) == 1 else f"{mean} ({values.min():.3f}-{values.max():.3f})"
