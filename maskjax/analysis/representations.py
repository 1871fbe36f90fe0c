"""What pretrained, finetuned and masked models make of the same texts: their [CLS] vectors.

A picture proves nothing, so numbers come with it: the accuracy of a linear probe, and linear
CKA between models.
"""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from maskjax.analysis.captions import rows_text, seeds_text, short_names
from maskjax.analysis.cka import linear_cka
from maskjax.analysis.figures import COLORS, Frame, caption, line_style, new_figure, save_figure
from maskjax.analysis.heatmap import draw_heat_map
from maskjax.analysis.probe import pca_points, probe_accuracy, tsne_points
from maskjax.errors import InputError
from maskjax.options import EvaluatedSplit, Offline, RunFolders, StudyFolder
from maskjax.progress import tracked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from maskjax.analysis.runs import Run
    from maskjax.inference import SavedRun
    from maskjax.tasks import Split

PRETRAINED = "pretrained"
PER_LINE = 5
"""Models side by side."""
PROJECTIONS = {"PCA": pca_points, "t-SNE": tsne_points}
OTHER: dict[str, Any] = {"color": "#BBBBBB", "marker": "."}
"""The look of labels for which there are no more colors."""
POINTS: dict[str, Any] = {"linestyle": "none", "markersize": 2.5, "alpha": 0.7}
Vectors = Mapping[str, np.ndarray]
"""`[rows, hidden]` of each model, by name."""


def representations(
    runs: RunFolders,
    *,
    out: StudyFolder,
    offline: Offline = False,
    split: EvaluatedSplit = None,
    rows: int = 1000,
    layer: int | None = None,
) -> None:
    """Compares the [CLS] vectors of runs of one task with each other and with those of the base.

    Draws them by PCA and t-SNE, with the accuracy of a linear probe (logistic regression on the
    vectors, five folds) and linear CKA between models.

    Args:
        rows: Only so many of the rows, the first.
        layer: The number of blocks below: 0 for the embeddings; by default the last block.
    """
    from pandas import DataFrame

    from maskjax.analysis.runs import study_runs

    needs = ("matplotlib", "sklearn")
    loaded, console = study_runs(runs, "task", offline=offline, needs=needs), Console()
    task = loaded[0].task
    if task.kind != "classification":
        raise InputError(
            f"{loaded[0].name}: expected a run of classification, got one of {task.kind}."
        )
    cost = f"{len(loaded) + 1} models on {rows_text(split, rows)} of {task.name}"
    console.print(f"{cost}, then as many t-SNE", highlight=False)
    data = loaded[0].split(split, rows)
    name = f"{split or 'dev'}-{len(data.texts)}-{'last' if layer is None else layer}.npy"
    vectors = {}
    for model, (digest, load) in _models(loaded).items():
        path = out / "vectors" / f"{digest}-{name}"
        vectors[model] = _cached(path, lambda load=load: _vectors(load(), data, layer))
        console.print(f"{model}: {len(data.texts):,} vectors", highlight=False, markup=False)
    probes = probe_models(vectors, data.labels)
    alike = DataFrame(
        [(a, b, linear_cka(x, y)) for a, x in vectors.items() for b, y in vectors.items()],
        columns=["first", "second", "cka"],
    )
    points = project_models(vectors, np.array(task.labels)[data.labels])
    console.print(_table(probes, alike))
    layer_name = "last block" if layer is None else f"{layer} blocks"
    seeds = seeds_text(run.seed for run in loaded)
    note = f"{task.name}, n = {len(data.texts):,}; {layer_name}; {seeds}"
    save_figure(draw_points(points, probes, note), out / "representations", points)
    save_figure(draw_probes(probes, note), out / "representations-probe", probes)
    save_figure(draw_cka(alike, note), out / "representations-cka", alike)


def probe_models(vectors: Vectors, labels: np.ndarray) -> Frame:
    """A linear probe of each model, a line each."""
    from pandas import DataFrame

    models = tracked(list(vectors.items()), "probing", "models")
    return DataFrame([{"model": m, **probe_accuracy(x, labels)._asdict()} for m, x in models])


def project_models(vectors: Vectors, labels: np.ndarray) -> Frame:
    """Each row of each model in every projection, a line each."""
    from pandas import DataFrame, concat

    frames = []
    for model, x in tracked(list(vectors.items()), "projecting", "models"):
        frame = DataFrame({"model": model, "row": range(len(labels)), "label": labels})
        for name, project in PROJECTIONS.items():
            frame[[f"{name} 1", f"{name} 2"]] = project(x).astype(float)
        frames.append(frame)
    return concat(frames, ignore_index=True)


def draw_points(points: Frame, probes: Frame, note: str) -> "Figure":
    """Draws PCA above t-SNE, a column for each model, colors and markers by label."""
    counts = points["label"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    frequent = counts.index[: len(COLORS)]
    lines, columns = -(-len(probes) // PER_LINE) * len(PROJECTIONS), min(len(probes), PER_LINE)
    with new_figure(7, 1.45 * lines + 0.8) as figure:
        grid = figure.subplots(lines, columns, squeeze=False)
        for place, (model, accuracy) in enumerate(probes[["model", "accuracy"]].to_numpy()):
            own = points[points["model"] == model]
            top, column = place // PER_LINE * len(PROJECTIONS), place % PER_LINE
            for line, name in enumerate(PROJECTIONS):
                axes = grid[top + line, column]
                _scatter(axes, own, name, frequent)
                if column == 0:
                    axes.set_ylabel(name, fontsize=8)
            grid[top, column].set_title(f"{model}\nprobe {100 * accuracy:.1f} %", fontsize=7)
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[])
            axes.set_visible(bool(axes.lines))
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=7, fontsize=7)
        caption(figure, note)
    return figure


def draw_probes(probes: Frame, note: str) -> "Figure":
    """Draws the accuracy of the linear probe of each model, with its deviation over folds."""
    with new_figure(3.4, 1.2 + 0.22 * len(probes)) as figure:
        axes = figure.subplots()
        values, errors = 100 * probes["accuracy"], 100 * probes["deviation"]
        axes.barh(range(len(probes)), values, xerr=errors, height=0.6, color=COLORS[0], capsize=2)
        majority = 100 * probes["majority"].iloc[0]
        axes.axvline(majority, color="black", linestyle="--", label="majority vote")
        axes.set_yticks(range(len(probes)), probes["model"], fontsize=7)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 100)
        axes.set_xlabel("accuracy of a linear probe (%)", fontsize=8)
        figure.legend(loc="outside upper center", fontsize=7)
        caption(figure, f"{note}; bars: ± 1 deviation of 5 folds")
    return figure


def draw_cka(alike: Frame, note: str) -> "Figure":
    """Draws CKA between models as a matrix."""
    models = alike["first"].unique()
    values = alike.pivot_table("cka", "first", "second").reindex(index=models, columns=models)
    rows = [f"{model} {number}" for number, model in enumerate(models, 1)]
    values = values.set_axis(rows).set_axis(range(1, len(models) + 1), axis=1)
    with new_figure(4.5, 1.1 + 0.25 * len(models)) as figure:
        title = "linear CKA of [CLS] vectors"
        draw_heat_map(figure.subplots(), values, title=title, low=0, high=1)
        caption(figure, note)
    return figure


def _models(runs: Sequence["Run"]) -> "dict[str, tuple[str, Callable[[], SavedRun]]]":
    """A digest and how to load it, of the base and of every run."""

    def pretrained() -> "SavedRun":
        """Hidden states need no head, so that the base's own params are a model."""
        saved = runs[0].saved
        return saved._replace(params=saved.base.params)

    base = f"{runs[0].file.meta['base']['digest'][:12]}-of-{runs[0].digest}"
    names = short_names([run.name for run in runs])
    own = {
        name: (run.digest, lambda run=run: run.saved) for name, run in zip(names, runs, strict=True)
    }
    return {PRETRAINED: (base, pretrained), **own}


def _vectors(saved: "SavedRun", data: "Split", layer: int | None) -> np.ndarray:
    from maskjax.inference import cls_vectors

    return cls_vectors(saved, saved.encode(data), layer)


def _cached(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """An array that is computed once and read again after."""
    if not path.exists():
        from maskjax.taskfile import write_atomically

        buffer = BytesIO()
        np.save(buffer, compute(), allow_pickle=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
    return np.load(path, allow_pickle=False)


def _scatter(axes: "Axes", points: Frame, name: str, labels: Sequence[str]) -> None:
    """Labels that have no look of their own are gray and below."""
    groups = {"other": points[~points["label"].isin(labels)]}
    groups |= {label: points[points["label"] == label] for label in labels}
    for number, (label, own) in enumerate(groups.items(), -1):
        if len(own):
            style = OTHER if number < 0 else line_style(number)._asdict()
            axes.plot(own[f"{name} 1"], own[f"{name} 2"], **(style | POINTS), label=label)


def _table(probes: Frame, alike: Frame) -> Table:
    first = probes.iloc[0]
    title = f"linear probe on {first['rows']:,} rows, majority {first['majority']:.1%}"
    table = Table("model", "probe accuracy", "CKA with pretrained", title=title)
    cka = alike[alike["first"] == PRETRAINED].set_index("second")["cka"]
    for probe in probes.itertuples():
        accuracy = f"{probe.accuracy:.4f} ± {probe.deviation:.4f}"
        table.add_row(probe.model, accuracy, f"{cka[probe.model]:.4f}")
    return table
