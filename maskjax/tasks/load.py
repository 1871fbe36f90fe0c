"""The rows of a task, loaded by its settings."""

import dataclasses
from pathlib import Path

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks.build_task import define_task, find_columns
from maskjax.tasks.draw import draw_eval, draw_train
from maskjax.tasks.labeled import with_columns
from maskjax.tasks.local import SPLITS
from maskjax.tasks.notes import note_on_eval_rows, note_on_unlabeled_rows, notes_on_rows
from maskjax.tasks.read import read_tables, table_readers
from maskjax.tasks.readers import Table
from maskjax.tasks.registry import lookup
from maskjax.tasks.renames import find_renames, labels_in, rename_labels
from maskjax.tasks.task import IGNORED, LoadedTask, Split, Task
from maskjax.tasks.texts import read_texts
from maskjax.tasks.validation import keep_labeled, read_split, unscored_reason


def load_task(config: TaskConfig, *, offline: bool = False) -> LoadedTask:
    """Loads a task: a built-in one, one from the Hugging Face Hub, or one from a local folder.

    The registry and the training rows complete the settings. A test split without the label column,
    or with all labels withheld, is left out, and so are rows of a test split without a label; notes
    say so.

    Args:
        config: The settings of the task.
        offline: Never use the network.

    Returns:
        The task and its rows: "train", "dev" or "holdout" or both, and "test" and further splits
        if there are any.

    Raises:
        InputError: If the rows cannot be read, or if the settings do not fit them or each other.

    Example:
        >>> from maskjax.config import TaskConfig
        >>> loaded = load_task(TaskConfig(path=rows))
        >>> {name: len(split.texts) for name, split in loaded.splits.items()}
        {'train': 96, 'dev': 41, 'test': 20}
    """
    config, tables = _rename(config, read_tables(config, offline=offline))
    train = tables["train"]
    task = define_task(config, train)
    splits = draw_train(read_split(train, task), config)
    _check_train(task, splits["train"])
    left_out, eval_notes = [*train.unread], []
    for name, table in tables.items():
        if name == "train":
            continue
        if reason := _unscored_reason(name, table, task):
            left_out.append(f"split {name} is left out: {reason}")
        else:
            split = _read_scored(name, table, task, eval_notes)
            splits[name] = draw_eval(split, config)
            eval_notes += note_on_eval_rows(name, splits[name], split)
    _check_selection(task, splits, left_out)
    notes = [note for table in tables.values() for note in table.notes]
    notes += [*left_out, *eval_notes, *notes_on_rows(task, config, train, splits)]
    return LoadedTask(task, splits, tuple(notes))


def load_test_texts(
    task: Task, config: TaskConfig, *, path: str | None = None, offline: bool = False
) -> dict[str, list[tuple[str, ...]]]:
    """Reads the texts of the test splits, whose labels may be withheld.

    Args:
        task: The task; no training rows are needed.
        config: The settings that it was trained with.
        path: A file or folder to read instead of the run's rows.
        offline: Never use the network.

    Returns:
        The texts of "test" and of further test splits, as `Split.texts` has them, all rows in
        their order.

    Raises:
        InputError: If the rows cannot be read, or if the settings do not fit them.
    """
    config = dataclasses.replace(config, path=path or config.path)
    readers = table_readers(config, task.kind, offline=offline)
    if path is not None and Path(path).is_file():
        readers = {"test": readers[next(iter(readers))]}  # the file may have any name
    tables = {
        name: readers[name]() for name in SPLITS if name in readers and name.startswith("test")
    }
    return {
        name: read_texts(table, with_columns(task, config, table)) for name, table in tables.items()
    }


def _rename(config: TaskConfig, tables: dict[str, Table]) -> tuple[TaskConfig, dict[str, Table]]:
    """Applies the renames in `--task.labels`, if any, to settings and tables."""
    if not any("=" in label for label in config.labels):
        return config, tables
    column = find_columns(config, tables["train"]).label
    kind = config.kind or lookup(config.name).kind
    renames = find_renames(config.labels, labels_in(tables.values(), column, kind))
    if not renames:
        return config, tables
    positive = renames.get(config.positive or "", config.positive)
    config = dataclasses.replace(config, labels=tuple(renames.values()), positive=positive)
    return config, {name: rename_labels(t, column, renames) for name, t in tables.items()}


def _unscored_reason(name: str, table: Table, task: Task) -> str:
    """The reason why a split cannot be scored; empty if it can."""
    if table.column(task.label) is None:
        # A dev split is required, so reading it must fail with the reason.
        return "" if name == "dev" else f"{table.source} has no column {task.label!r}"
    return unscored_reason(table, task)


def _read_scored(name: str, table: Table, task: Task, notes: list[str]) -> Split:
    """Reads a split to score; rows of a test split may lack a label."""
    if name.startswith("test"):
        table, labeled = keep_labeled(table, task)
        notes += note_on_unlabeled_rows(name, labeled)
    return read_split(table, task)


def _check_train(task: Task, train: Split) -> None:
    if task.kind not in ("classification", "tokens"):
        return
    labels = np.unique(train.labels[train.labels != IGNORED])
    if len(labels) < 2:
        only = f"{task.labels[labels[0]]!r} only" if len(labels) else "none"
        raise InputError(
            f"Task {task.name}: expected at least two labels among the training rows, got"
            f" {only}; add rows, or draw more with --task.train_rows."
        )


def _check_selection(task: Task, splits: dict[str, Split], left_out: list[str]) -> None:
    """Rejects a task without rows that select models, or a split without a word to score."""
    if not splits.keys() & {"dev", "holdout"}:
        reasons = f" ({'; '.join(left_out)})" if left_out else ""
        raise InputError(
            f"Task {task.name}: no dev split to select models by{reasons}; hold out a share of the"
            " training rows with --task.holdout 0.1."
        )
    for name, split in splits.items():
        if task.kind == "tokens" and np.all(split.labels == IGNORED):
            raise InputError(
                f"Task {task.name}: expected labels in the rows that were drawn for {name}, got"
                f" {IGNORED} only; draw more."
            )
