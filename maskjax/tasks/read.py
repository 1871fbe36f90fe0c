"""The tables of a task: built in, from local files, or from the Hub."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.models.config import TaskType
from maskjax.tasks import docstrings
from maskjax.tasks.hub import hub_readers, read_hub
from maskjax.tasks.local import read_folder, split_readers
from maskjax.tasks.readers import Table
from maskjax.tasks.registry import lookup
from maskjax.tasks.spec import Entry


def read_tables(config: TaskConfig, *, offline: bool) -> dict[str, Table]:
    """Reads the splits for training and evaluation."""
    entry = lookup(config.name)
    if config.path is not None:
        return read_folder(Path(config.path), config.kind or entry.kind)
    if _is_docstrings(config):
        return _docstrings(config.name)
    label = config.label or entry.label
    return read_hub(config.name, _on_hub(config, entry), label, offline=offline)


def table_readers(
    config: TaskConfig, kind: TaskType, *, offline: bool
) -> dict[str, Callable[[], Table]]:
    """Lists a reader for each table; none is required."""
    entry = lookup(config.name)
    if config.path is not None:
        return split_readers(config.path, kind)
    if _is_docstrings(config):
        tables = _docstrings(config.name)
        return {name: partial(tables.__getitem__, name) for name in tables}
    label = config.label or entry.label
    return hub_readers(config.name, _on_hub(config, entry), label, offline=offline)


def _is_docstrings(config: TaskConfig) -> bool:
    return config.name.startswith("docstrings/")


def _docstrings(name: str) -> dict[str, Table]:
    frames = docstrings.load(name.removeprefix("docstrings/"))
    return {split: Table(f"{name} split {split}", rows) for split, rows in frames.items()}


def _on_hub(config: TaskConfig, entry: Entry) -> Entry:
    if entry.hub is None:
        raise InputError(
            f"Task {config.name}: its rows are not on the Hub; give a file or folder with them by"
            " --task.path."
        )
    return replace(entry, subset=config.subset or entry.subset)
