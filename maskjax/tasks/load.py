"""From the settings of a task to its rows."""

from pathlib import Path

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import docstrings
from maskjax.tasks.define import define_task
from maskjax.tasks.hub import read_hub
from maskjax.tasks.local import read_folder
from maskjax.tasks.registry import lookup
from maskjax.tasks.rows import read_split
from maskjax.tasks.tables import Table
from maskjax.tasks.task import LoadedTask, Split, Task


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
    task = define_task(config, tables["train"])
    splits = _draw(read_split(tables["train"], task), config)
    _check_train(task, splits["train"])
    for name in ("dev", "test"):
        if name in tables and (name == "dev" or task.label in tables[name].frame):
            splits[name] = read_split(tables[name], task)
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
