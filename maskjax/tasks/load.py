"""From the settings of a task to its rows."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import docstrings
from maskjax.tasks.define import define_task
from maskjax.tasks.entities import ENTITY_METRICS, count_orphans
from maskjax.tasks.hub import read_hub
from maskjax.tasks.local import read_folder
from maskjax.tasks.registry import lookup
from maskjax.tasks.rows import read_split, read_texts
from maskjax.tasks.tables import Table
from maskjax.tasks.task import LoadedTask, Split, Task


def load_task(config: TaskConfig, *, offline: bool = False) -> LoadedTask:
    """Loads a task: a built-in one, one from the Hugging Face Hub, or one from a local folder.

    What the settings leave open is filled in from the registry and the training rows. A test split
    without the label column, or with all labels withheld, is left out.

    Args:
        config: The settings of the task.
        offline: Never ask the network.

    Returns:
        The task and its rows: "train", "dev" or "holdout" or both, and "test" and further splits
        if there are any.

    Raises:
        InputError: If the rows cannot be read, or if the settings do not fit them or each other.
    """
    tables = _read_tables(config, offline)
    task = define_task(config, tables["train"])
    splits = _draw(read_split(tables["train"], task), config)
    _check_train(task, splits["train"])
    for name, table in tables.items():
        if name != "train" and _has_labels(name, table, task):
            split = read_split(table, task)
            splits[name] = split.take(_order(split, config.eval_rows, config, "eval_rows"))
    if not splits.keys() & {"dev", "holdout"}:
        raise InputError(
            f"Task {task.name}: no dev split to select models by; hold out a share of the training"
            " rows with --task.holdout 0.1."
        )
    notes = [note for table in tables.values() for note in table.notes]
    return LoadedTask(task, splits, (*notes, *_notes_on_tags(task, splits)))


def load_test_texts(
    config: TaskConfig, *, offline: bool = False
) -> dict[str, list[tuple[str, ...]]]:
    """Reads the texts of the test splits, whose labels may be withheld.

    Args:
        config: The settings of the task.
        offline: Never ask the network.

    Returns:
        The texts of "test" and of further test splits, as `Split.texts` has them, all rows in
        their order.

    Raises:
        InputError: If the rows cannot be read, or if the settings do not fit them.
    """
    tables = _read_tables(config, offline)
    task = define_task(config, tables["train"])
    return {name: read_texts(tables[name], task) for name in tables if name.startswith("test")}


def _read_tables(config: TaskConfig, offline: bool) -> dict[str, Table]:
    entry = lookup(config.name)
    if config.path is not None:
        return read_folder(Path(config.path), config.kind or entry.kind)
    if config.name.startswith("docstrings/"):
        frames = docstrings.load(config.name.removeprefix("docstrings/"))
        return {name: Table(f"{config.name} split {name}", rows) for name, rows in frames.items()}
    if entry.hub is None:
        raise InputError(
            f"Task {config.name}: its rows are not on the Hub; give a folder with them by"
            " --task.path."
        )
    chosen = dataclasses.replace(entry, subset=config.subset or entry.subset)
    return read_hub(entry.hub, chosen, config.label or entry.label, offline=offline)


def _has_labels(name: str, table: Table, task: Task) -> bool:
    """Whether a split can be scored; the Hub marks withheld labels by -1."""
    labels = table.column(task.label)
    if labels is None:
        return name == "dev"  # it is needed, so reading it is to fail
    return any(_is_given(value) for value in labels.dropna())


def _is_given(label: Any) -> bool:
    labels = label if isinstance(label, list | tuple | np.ndarray) else [label]
    return any(one is not None and one != -1 for one in labels)


def _notes_on_tags(task: Task, splits: Mapping[str, Split]) -> Iterator[str]:
    if task.metric not in ENTITY_METRICS:
        return
    for name, split in splits.items():
        orphans = count_orphans([task.labels[label] for label in split.labels], split.sizes)
        if orphans:
            yield (
                f"split {name}: {orphans:,} entities begin with I- instead of B-; entity_f1 reads"
                " them as B-, entity_f1_strict as no entities"
            )


def _check_train(task: Task, train: Split) -> None:
    if task.kind in ("classification", "tokens") and len(np.unique(train.labels)) == 1:
        only = task.labels[train.labels[0]]
        raise InputError(
            f"Task {task.name}: expected at least two labels among the training rows, got"
            f" {only!r} only; add rows, or draw more with --task.train_rows."
        )


def _draw(train: Split, config: TaskConfig) -> dict[str, Split]:
    """Draws the training rows, and out of these the rows that are held out.

    Fewer rows are a subset of more rows. Asking for more than there are draws all of them.
    """
    order = _order(train, config.train_rows, config, "train_rows")
    held = round(len(order) * config.holdout)
    if config.holdout and not 0 < held < len(order):
        raise InputError(
            f"--task.holdout: {config.holdout} of {len(order)} training rows is {held} rows;"
            " expected at least one row held out and one left."
        )
    if not held:
        return {"train": train.take(order)}
    return {"train": train.take(order[:-held]), "holdout": train.take(order[-held:])}


def _order(split: Split, count: int | None, config: TaskConfig, option: str) -> np.ndarray:
    if count is not None and count < 1:
        raise InputError(f"--task.{option}: expected at least 1, got {count}.")
    return np.random.default_rng(config.split_seed).permutation(len(split.texts))[:count]
