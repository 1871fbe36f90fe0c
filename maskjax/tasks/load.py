"""From the settings of a task to its rows."""

from pathlib import Path

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import docstrings
from maskjax.tasks.hub import read_hub
from maskjax.tasks.local import read_folder
from maskjax.tasks.registry import lookup
from maskjax.tasks.rows import label_names, read_split
from maskjax.tasks.tables import Table
from maskjax.tasks.task import Kind, LoadedTask, Split, Task

# The first is the default.
METRICS_OF: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "f1", "matthews"),
    "regression": ("pearson", "spearman"),
}


def load_task(config: TaskConfig, *, offline: bool = False) -> LoadedTask:
    """Loads a task: a built-in one, one from the Hugging Face Hub, or one from a local folder.

    What the settings leave open is filled in from the registry and the training rows. A test split
    without the label column is left out.

    Args:
        config: The settings of the task.
        offline: Never ask the network.

    Returns:
        The task and its rows: "train", "dev" or "holdout" or both, and "test" if there is one.

    Raises:
        InputError: If the rows cannot be read, or if the settings do not fit them or each other.
    """
    tables = _read_tables(config, offline)
    task = _make_task(config, tables["train"])
    splits = {
        name: read_split(table, task)
        for name, table in tables.items()
        if name != "test" or task.label in table.frame
    }
    splits |= _draw(splits["train"], config)
    _check_train(task, splits["train"])
    if not splits.keys() & {"dev", "holdout"}:
        raise InputError(
            f"Task {task.name}: no dev split to select models by; hold out a share of the training"
            " rows with --task.holdout 0.1."
        )
    return LoadedTask(task, splits)


def _read_tables(config: TaskConfig, offline: bool) -> dict[str, Table]:
    entry = lookup(config.name)
    if config.path is not None:
        return read_folder(Path(config.path))
    if entry.hub is None:
        frames = docstrings.load(config.name.removeprefix("docstrings/"))
        return {name: Table(f"{config.name} split {name}", rows) for name, rows in frames.items()}
    label = config.label or entry.label
    return read_hub(entry.hub, config.subset or entry.subset, label, offline=offline)


def _make_task(config: TaskConfig, train: Table) -> Task:
    entry = lookup(config.name)
    kind = config.kind or entry.kind
    label = config.label or entry.label
    labels = config.labels
    if kind == "classification" and not labels:
        labels = label_names(train, label)
    metric = config.metric or (entry.metric if kind == entry.kind else None) or METRICS_OF[kind][0]
    task = Task(
        name=_name(config),
        kind=kind,
        text=config.text or entry.text,
        label=label,
        labels=labels,
        metric=metric,
    )
    _check_task(task)
    return task


def _name(config: TaskConfig) -> str:
    if config.path is not None and lookup(config.name).hub is None:
        return Path(config.path).resolve().name  # rows of a folder are not those of docstrings
    return config.name


def _check_task(task: Task) -> None:
    if task.metric not in METRICS_OF[task.kind]:
        metrics = ", ".join(METRICS_OF[task.kind])
        raise InputError(
            f"--task.metric: expected one of {metrics} for {task.kind}, got {task.metric}."
        )
    if task.kind == "regression" and task.labels:
        raise InputError("--task.labels: expected no label names for regression.")
    if len(set(task.labels)) < len(task.labels):
        raise InputError(f"--task.labels: expected different names, got {', '.join(task.labels)}.")
    if task.metric == "f1" and len(task.labels) != 2:
        raise InputError(
            f"--task.metric: f1 is of two labels, task {task.name} has {len(task.labels)};"
            " choose accuracy."
        )


def _check_train(task: Task, train: Split) -> None:
    if task.kind == "classification" and len(np.unique(train.labels)) == 1:
        only = task.labels[train.labels[0]]
        raise InputError(
            f"Task {task.name}: expected at least two labels among the training rows, got"
            f" {only!r} only; add rows, or draw more with --task.train_rows."
        )


def _draw(train: Split, config: TaskConfig) -> dict[str, Split]:
    """Draws the training rows, and out of these the rows that are held out.

    Fewer rows are a subset of more rows. Asking for more than there are draws all of them.
    """
    if config.train_rows is not None and config.train_rows < 1:
        raise InputError(f"--task.train_rows: expected at least 1, got {config.train_rows}.")
    order = np.random.default_rng(config.split_seed).permutation(len(train.texts))
    order = order[: config.train_rows]
    held = round(len(order) * config.holdout)
    if config.holdout and not 0 < held < len(order):
        raise InputError(
            f"--task.holdout: {config.holdout} of {len(order)} training rows is {held} rows;"
            " expected at least one row held out and one left."
        )
    if not held:
        return {"train": _take(train, order)}
    return {"train": _take(train, order[:-held]), "holdout": _take(train, order[-held:])}


def _take(split: Split, rows: np.ndarray) -> Split:
    rows = np.sort(rows)
    return Split([split.texts[row] for row in rows], split.labels[rows])
