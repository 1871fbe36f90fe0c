"""Labeled rows for evaluation: those of a run, or of any file, folder or data set."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks.build_task import columns_of
from maskjax.tasks.draw import draw_eval, draw_train
from maskjax.tasks.local import SPLITS, split_name
from maskjax.tasks.notes import note_on_eval_rows, note_on_unlabeled_rows
from maskjax.tasks.read import table_readers
from maskjax.tasks.readers import Table
from maskjax.tasks.registry import lookup
from maskjax.tasks.renames import rename_labels, stored_renames
from maskjax.tasks.task import LoadedTask, Split, Task
from maskjax.tasks.validation import has_labels, keep_labeled, read_split, unscored_reason

Readers = Mapping[str, Callable[[], Table]]


def load_labeled(
    task: Task,
    config: TaskConfig,
    *,
    path: str | Path | None = None,
    split: str | None = None,
    rows: int | Literal["all"] | None = None,
    offline: bool = False,
) -> LoadedTask:
    """Loads labeled rows for a trained task. No training rows are needed.

    Args:
        task: The task, whose labels the rows have.
        config: The settings that it was trained with.
        path: A file or folder to read instead of the run's rows; every file of a folder is a
            split.
        split: Only this split, under any name in the data; None means those that training
            reads, and with `path` every file.
        rows: How many rows of a split are drawn, or all of them; None means as many as
            `eval_rows` says, and with `path` all.
        offline: Never ask the network.

    Returns:
        The rows with labels of each split that has any; notes name what is left out.

    Raises:
        InputError: If the rows cannot be read, there is no such split, or none has labels.

    Example:
        >>> from maskjax.tasks import load_task
        >>> task = load_task(config.task).task
        >>> sorted(load_labeled(task, config.task).splits)
        ['dev', 'test', 'train']
    """
    if path is not None:
        config = replace(config, path=str(path), holdout=0.0, train_rows=None, eval_rows=None)
    if rows is not None:
        config = replace(config, eval_rows=None if rows == "all" else rows)
    if path is None and config.path is not None and not Path(config.path).exists():
        raise InputError(
            f"{config.path}: the rows of the run are no longer there; maskjax evaluate scores"
            " others with --path FILE|FOLDER."
        )
    readers = table_readers(config, task.kind, offline=offline)
    if path is None and config.path is not None and Path(config.path).is_file():
        readers = {"train": readers[next(iter(readers))]}  # whatever its name, as in training
    names = _choose(readers, config, split, include_all=path is not None)
    splits: dict[str, Split] = {}
    notes: list[str] = []
    for name in names:
        required = split is not None or name in SPLITS or len(names) == 1
        source = _read_table(task, config, name, readers[name], notes, required=required)
        if source is not None:
            splits |= _read_rows(*source, config, name, notes)
    if split is not None:
        splits = {name: rows for name, rows in splits.items() if name == split_name(split)}
    if not splits:
        raise InputError(f"no rows with labels to score: {'; '.join(notes) or 'no file of rows'}.")
    return LoadedTask(task, splits, tuple(notes))


def read_labeled_part(
    task: Task, config: TaskConfig, table: Table
) -> tuple[np.ndarray, Split] | None:
    """Reads the rows of a table that have labels.

    Args:
        task: The task, whose labels the rows have.
        config: The settings that it was trained with.
        table: The rows; those without a label have an empty one, null or -1.

    Returns:
        Whether each row has a label, [rows], and the rows that have; None if there are none.

    Raises:
        InputError: If a label is none of the task's.
    """
    task = with_columns(task, config, table)
    table = rename_as_trained(task, config, table)
    if table.column(task.label) is None or not has_labels(table, task):
        return None
    table, rows = keep_labeled(table, task)
    return rows, read_split(table, task, trained=True)


def with_columns(task: Task, config: TaskConfig, table: Table) -> Task:
    """The task with the column names of the published form that fits a table best."""
    columns = columns_of(task, config, table)
    return replace(task, text=columns.text, label=columns.label, choices=columns.choices)


def rename_as_trained(task: Task, config: TaskConfig, table: Table) -> Table:
    """Renames the labels of raw rows as in training."""
    return rename_labels(table, task.label, stored_renames(config.labels, task.labels))


def _choose(
    readers: Readers, config: TaskConfig, split: str | None, *, include_all: bool
) -> list[str]:
    """The names of the tables to read; a holdout is drawn from the training rows."""
    if split is None:
        standard = {*SPLITS, *lookup(config.name).splits}
        return [name for name in readers if include_all or name in standard]
    name = split_name(split)
    if name == "holdout" and config.holdout and "train" in readers:
        return ["train"]
    if name not in readers:
        available = ", ".join([*readers, *(["holdout"] if config.holdout else [])])
        raise InputError(f"--split: there is no {split!r}; there are {available}.")
    return [name]


def _read_table(
    task: Task,
    config: TaskConfig,
    name: str,
    read: Callable[[], Table],
    notes: list[str],
    *,
    required: bool,
) -> tuple[Task, Table] | None:
    """Reads a table with the task's names for its columns and labels.

    Returns None for a table that is not required and does not fit.
    """
    try:
        table = read()
    except InputError as error:
        if required:
            raise
        notes.append(f"split {name} is left out: {error}")
        return None
    task = with_columns(task, config, table)
    columns = (*task.text, *task.choices, task.label)
    absent = [column for column in columns if table.column(column) is None]
    if absent and (not required or (absent == [task.label] and name.startswith("test"))):
        notes.append(f"split {name} is left out: {table.source} has no column {absent[0]!r}")
        return None
    return task, rename_as_trained(task, config, table)


def _read_rows(
    task: Task, table: Table, config: TaskConfig, name: str, notes: list[str]
) -> dict[str, Split]:
    notes += table.notes
    if table.column(task.label) is not None:
        if reason := unscored_reason(table, task):
            notes.append(f"split {name} is left out: {reason}")
            return {}
        table, labeled = keep_labeled(table, task)
        notes += note_on_unlabeled_rows(name, labeled)
    rows = read_split(table, task, trained=True)
    if name == "train":
        return draw_train(rows, config)
    drawn = draw_eval(rows, config)
    notes += note_on_eval_rows(name, drawn, rows)
    return {name: drawn}
