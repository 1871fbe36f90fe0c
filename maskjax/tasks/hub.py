"""Tasks from the Hugging Face Hub."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from maskjax.errors import InputError, suggest
from maskjax.models.hub_retry import with_backoff
from maskjax.tasks.readers import Table
from maskjax.tasks.registry import REGISTRY
from maskjax.tasks.spec import DEV_NAMES, PARQUET, Entry
from maskjax.tasks.task import IGNORED
from maskjax.tasks.texts import as_list
from maskjax.tasks.unicode import NOT_UNICODE, arrow_frame

if TYPE_CHECKING:  # slow to import
    from datasets import Dataset, DatasetDict


def read_hub(task: str, entry: Entry, label: str, *, offline: bool) -> dict[str, Table]:
    """Reads a data set from the Hub, or from the local cache if it has been read before."""
    datasets = _load(task, entry, offline)
    if entry.splits["train"] not in datasets:
        splits = ", ".join(map(str, datasets))
        raise InputError(
            f"Data set {entry.hub}: expected a split {entry.splits['train']!r}, got {splits}."
        )
    readers = _readers(datasets, entry, label)
    tables = {split: readers[split]() for split in entry.splits if split in readers}
    unread = [split for split in readers if split not in tables]
    title = f"Data set {_title(entry)}"
    notes = (f"{title}: not read: split {', '.join(unread)}",) if unread else ()
    return tables | {"train": tables["train"]._replace(unread=notes)}


def hub_readers(
    task: str, entry: Entry, label: str, *, offline: bool
) -> dict[str, Callable[[], Table]]:
    """Lists the splits of a data set; none is required."""
    return _readers(_load(task, entry, offline), entry, label)


def _readers(datasets: "DatasetDict", entry: Entry, label: str) -> dict[str, Callable[[], Table]]:
    split_of = {_hub_name(name, datasets): split for split, name in entry.splits.items()}
    return {
        split_of.get(str(name), str(name)): partial(
            _to_table, f"{_title(entry)} split {name}", dataset, label
        )
        for name, dataset in datasets.items()
    }


def _title(entry: Entry) -> str:
    return f"{entry.hub}/{entry.subset}" if entry.subset else str(entry.hub)


def _hub_name(name: str, datasets: "DatasetDict") -> str:
    """The name of a split in a data set; the dev split has several names."""
    candidates = ("validation", *DEV_NAMES) if name == "validation" else (name,)
    return next((candidate for candidate in candidates if candidate in datasets), name)


def _load(task: str, entry: Entry, offline: bool) -> "DatasetDict":
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    subset, options = _request(entry)
    name = str(entry.hub)
    # A data set takes its name from its folder, and "." has none.
    source = str(Path(name).resolve()) if Path(name).is_dir() else name
    try:
        with _no_network():
            return load_dataset(source, subset, **options)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        if offline:
            raise InputError(_explain(task, name, error, offline)) from error
    try:
        return with_backoff(lambda: load_dataset(source, subset, **options), f"Data set {name}")
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise InputError(_explain(task, name, error, offline)) from error


def _request(entry: Entry) -> tuple[str | None, dict[str, Any]]:
    """The subset and the keywords for `load_dataset`.

    The Hub's own Parquet copies have no subsets: these are folders of files there.
    """
    if entry.revision != PARQUET:
        return entry.subset, {"revision": entry.revision} if entry.revision else {}
    folder = entry.subset or "default"
    files = {split: f"{folder}/{split}/*.parquet" for split in entry.splits.values()}
    return None, {"revision": PARQUET, "data_files": files}


@contextmanager
def _no_network() -> Iterator[None]:
    """Restricts `datasets` to local copies, without its messages."""
    from datasets import config, logging

    offline, verbosity = config.HF_HUB_OFFLINE, logging.get_verbosity()
    config.HF_HUB_OFFLINE = True
    logging.set_verbosity_error()
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = offline
        logging.set_verbosity(verbosity)


def _explain(task: str, name: str, error: Exception, offline: bool) -> str:
    reason = _reason(error)
    if "scripts are no longer supported" in reason:
        return (
            f"Data set {name}: it is a loading script, which datasets no longer runs; give a folder"
            " with its rows by --task.path."
        )
    if isinstance(error, ConnectionError):
        state = "and offline" if offline else "and the Hub cannot be reached"
        if task in REGISTRY:
            return (
                f"Task {task} is built in, its rows are not: there is no local copy of data set"
                f" {name}, {state}; run once online, or give the rows by --task.path."
            )
        return f"Data set {name}: no local copy, {state}; {_suggest_tasks(name)}"
    if isinstance(error, FileNotFoundError):
        return f"Data set {name}: {reason.removesuffix('.')}; {_suggest_tasks(name)}"
    return f"Data set {name}: {reason}"


def _suggest_tasks(name: str) -> str:
    return f"among the built-in tasks, {suggest(name, list(REGISTRY))}"


def _reason(error: BaseException) -> str:
    """The text of an error, or of the reader's error that it wraps, in one line."""
    from datasets.exceptions import DatasetGenerationError

    if type(error) is DatasetGenerationError and error.__cause__:
        error = error.__cause__
    reason = " ".join(str(error).split())
    match = re.search(r"surrogate pair in string is invalid\. in row (\d+)", reason)
    return f"row {int(match[1]) + 1}: {NOT_UNICODE}" if match else reason


def _to_table(source: str, dataset: "Dataset", label: str) -> Table:
    from datasets import ClassLabel

    frame = arrow_frame(source, cast(Any, dataset.with_format("arrow"))[:])
    feature = dataset.features.get(label)
    if isinstance(feature, ClassLabel):
        cells = enumerate(frame[label].tolist(), 1)
        names = [_class_name(cell, feature.names, f"{source} row {row}") for row, cell in cells]
        frame[label] = pd.Categorical(names, categories=feature.names)
    item = getattr(feature, "feature", None)
    if not isinstance(item, ClassLabel):
        return Table(source, frame)
    cells = enumerate(frame[label].tolist(), 1)
    frame[label] = [_tag_names(cell, item.names, f"{source} row {row}") for row, cell in cells]
    return Table(source, frame, declared=tuple(item.names))


def _tag_names(cell: Any, names: Sequence[str], location: str) -> list[str | int | None] | None:
    ids = as_list(cell)  # None if all labels of a row are withheld
    if ids is None:
        return None
    return [
        IGNORED if tag == IGNORED else _class_name(tag, names, f"{location} word {word}")
        for word, tag in enumerate(ids, 1)
    ]


def _class_name(cell: Any, names: Sequence[str], location: str) -> str | None:
    """The name of a class; None where it is withheld, which is stored as null or as -1."""
    if pd.isna(cell) or cell == -1:
        return None
    if not 0 <= cell < len(names):
        raise InputError(
            f"{location}: expected a class from 0 to {len(names) - 1}, as the data set declares,"
            f" got {int(cell)}."
        )
    return names[int(cell)]
