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

from maskjax.analysis.cka import linear_cka
from maskjax.analysis.figures import COLORS, Row, look, save_figure, styled
from maskjax.analysis.heatmap import caption, draw_heat_map
from maskjax.analysis.probe import pca_points, probe_accuracy, tsne_points
from maskjax.analysis.runs import Run, rows_text, seeds_text, short_names
from maskjax.errors import InputError
from maskjax.inference import TaskPredictor, cls_vectors
from maskjax.progress import tracked
from maskjax.taskfile import write_atomically
from maskjax.tasks import Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PRETRAINED = "pretrained"
PER_LINE = 5
"""Models side by side."""
PROJECTIONS = {"PCA": pca_points, "t-SNE": tsne_points}
OTHER: dict[str, Any] = {"color": "#BBBBBB", "marker": "."}
"""The look of labels for which there are no more colors."""
POINTS: dict[str, Any] = {"linestyle": "none", "markersize": 2.5, "alpha": 0.7}
Vectors = Mapping[str, np.ndarray]
"""`[rows, hidden]` of each model, by name."""


def study_representations(
    runs: Sequence[Run],
    out: Path,
    console: Console,
    *,
    split: str | None = None,
    rows: int | None = 1000,
    layer: int | None = None,
) -> tuple[Path, ...]:
    """Compares the [CLS] vectors of runs of one task and of their base."""
    task = runs[0].task
    if task.kind != "classification":
        raise InputError(
            f"{runs[0].name}: expected a run of classification, got one of {task.kind}."
        )
    cost = f"{len(runs) + 1} models on {rows_text(split, rows)} of {task.name}, then as many t-SNE"
    console.print(cost, highlight=False)
    data = runs[0].split(split, rows)
    name = f"{split or 'dev'}-{len(data.texts)}-{'last' if layer is None else layer}.npy"
    vectors = {}
    for model, (digest, predictor) in _models(runs).items():
        path = out / "vectors" / f"{digest}-{name}"
        vectors[model] = _kept(path, lambda load=predictor: _vectors(load(), data, layer))
        console.print(f"{model}: {len(data.texts):,} vectors", highlight=False, markup=False)
    probes = probe_rows(vectors, data.labels)
    alike = [
        {"first": a, "second": b, "cka": linear_cka(x, y)}
        for a, x in vectors.items()
        for b, y in vectors.items()
    ]
    points = point_rows(vectors, [task.labels[label] for label in data.labels])
    console.print(_table(probes, alike))
    layer_name = "last block" if layer is None else f"{layer} blocks"
    note = f"{task.name}, n = {len(data.texts):,}; {layer_name}; {seeds_text(runs)}"
    return (
        *save_figure(draw_points(points, probes, note), out / "representations", points),
        *save_figure(draw_probes(probes, note), out / "representations-probe", probes),
        *save_figure(draw_cka(list(vectors), alike, note), out / "representations-cka", alike),
    )


def probe_rows(vectors: Vectors, labels: np.ndarray) -> list[Row]:
    """A linear probe of each model, a line each."""
    models = tracked(list(vectors.items()), "probing", "models")
    return [{"model": m, **probe_accuracy(x, labels)._asdict()} for m, x in models]


def point_rows(vectors: Vectors, labels: Sequence[str]) -> list[Row]:
    """Each row of each model in every projection, a line each."""
    lines = []
    for model, x in tracked(list(vectors.items()), "projecting", "models"):
        places = {name: project(x) for name, project in PROJECTIONS.items()}
        for row, label in enumerate(labels):
            axes = {
                f"{n} {axis + 1}": float(p[row, axis]) for n, p in places.items() for axis in (0, 1)
            }
            lines.append({"model": model, "row": row, "label": label, **axes})
    return lines


def draw_points(points: Sequence[Row], probes: Sequence[Row], note: str) -> "Figure":
    """Draws PCA above t-SNE, a column for each model, colors and markers by label."""
    from matplotlib.figure import Figure

    models = [probe["model"] for probe in probes]
    titles = {p["model"]: f"{p['model']}\nprobe {100 * p['accuracy']:.1f} %" for p in probes}
    labels = _most_frequent([point["label"] for point in points])
    lines = -(-len(models) // PER_LINE) * len(PROJECTIONS)
    columns = min(len(models), PER_LINE)
    with styled():
        figure = Figure(figsize=(7, 1.45 * lines + 0.8))
        grid = figure.subplots(lines, columns, squeeze=False)
        for place, model in enumerate(models):
            own = [point for point in points if point["model"] == model]
            top = place // PER_LINE * len(PROJECTIONS)
            for line, name in enumerate(PROJECTIONS):
                axes = grid[top + line, place % PER_LINE]
                _scatter(axes, own, name, labels)
                if place % PER_LINE == 0:
                    axes.set_ylabel(name, fontsize=8)
            grid[top, place % PER_LINE].set_title(titles[model], fontsize=7)
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[])
            axes.set_visible(bool(axes.lines))
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=7, fontsize=7)
        caption(figure, note)
    return figure


def draw_probes(probes: Sequence[Row], note: str) -> "Figure":
    """Draws the accuracy of the linear probe of each model, with its deviation over folds."""
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(3.4, 1.2 + 0.22 * len(probes)))
        axes = figure.subplots()
        values = [100 * probe["accuracy"] for probe in probes]
        errors = [100 * probe["deviation"] for probe in probes]
        axes.barh(range(len(probes)), values, xerr=errors, height=0.6, color=COLORS[0], capsize=2)
        majority = 100 * probes[0]["majority"]
        axes.axvline(majority, color="black", linestyle="--", label="majority vote")
        axes.set_yticks(range(len(probes)), [probe["model"] for probe in probes], fontsize=7)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 100)
        axes.set_xlabel("accuracy of a linear probe (%)", fontsize=8)
        figure.legend(loc="outside upper center", fontsize=7)
        caption(figure, f"{note}; bars: ± 1 deviation of 5 folds")
    return figure


def draw_cka(models: Sequence[str], alike: Sequence[Row], note: str) -> "Figure":
    """Draws CKA between models as a matrix."""
    from matplotlib.figure import Figure

    numbers = [str(number) for number in range(1, len(models) + 1)]
    names = [f"{model} {number}" for number, model in zip(numbers, models, strict=True)]
    values = np.array([row["cka"] for row in alike]).reshape(len(models), len(models))
    with styled():
        figure = Figure(figsize=(4.5, 1.1 + 0.25 * len(models)))
        title = "linear CKA of [CLS] vectors"
        draw_heat_map(figure.subplots(), values, names, numbers, title=title, low=0, high=1)
        caption(figure, note)
    return figure


def _models(runs: Sequence[Run]) -> dict[str, tuple[str, Callable[[], TaskPredictor]]]:
    """A digest and how to load it, of the base and of every run."""

    def pretrained() -> TaskPredictor:
        """Hidden states need no head, so that the base's own params are a model."""
        predictor = runs[0].predictor
        return predictor._replace(params=predictor.base.params)

    base = f"{runs[0].file.meta['base']['digest'][:12]}-of-{runs[0].digest}"
    names = short_names([run.name for run in runs])
    own = {
        name: (run.digest, lambda run=run: run.predictor)
        for name, run in zip(names, runs, strict=True)
    }
    return {PRETRAINED: (base, pretrained), **own}


def _vectors(predictor: TaskPredictor, data: Split, layer: int | None) -> np.ndarray:
    return cls_vectors(predictor, predictor.encode(data), layer)


def _kept(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """An array that is computed once and read again after."""
    if not path.exists():
        buffer = BytesIO()
        np.save(buffer, compute(), allow_pickle=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
    return np.load(path, allow_pickle=False)


def _scatter(axes: "Axes", points: Sequence[Row], name: str, labels: Sequence[str]) -> None:
    """Labels that have no look of their own are gray and below."""
    groups = {"other": [p for p in points if p["label"] not in labels]}
    groups |= {label: [p for p in points if p["label"] == label] for label in labels}
    for number, (label, own) in enumerate(groups.items(), -1):
        if own:
            style = OTHER if number < 0 else look(number)._asdict()
            x, y = ([point[f"{name} {axis}"] for point in own] for axis in (1, 2))
            axes.plot(x, y, **(style | POINTS), label=label)


def _most_frequent(labels: Sequence[str]) -> list[str]:
    """As many as there are colors."""
    names, counts = np.unique(labels, return_counts=True)
    return [str(names[place]) for place in np.argsort(-counts, kind="stable")[: len(COLORS)]]


def _table(probes: Sequence[Row], alike: Sequence[Row]) -> Table:
    title = f"linear probe on {probes[0]['rows']:,} rows, majority {probes[0]['majority']:.1%}"
    table = Table("model", "probe accuracy", "CKA with pretrained", title=title)
    cka = {row["second"]: row["cka"] for row in alike if row["first"] == PRETRAINED}
    for probe in probes:
        accuracy = f"{probe['accuracy']:.4f} ± {probe['deviation']:.4f}"
        table.add_row(probe["model"], accuracy, f"{cka[probe['model']]:.4f}")
    return table
