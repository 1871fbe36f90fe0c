"""Tasks from the Hugging Face Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from maskjax.errors import InputError, near_names
from maskjax.models.backoff import with_backoff
from maskjax.tasks.entry import PARQUET, Entry
from maskjax.tasks.registry import REGISTRY
from maskjax.tasks.tables import Table

if TYPE_CHECKING:  # slow to import
    from datasets import Dataset, DatasetDict


def read_hub(name: str, entry: Entry, label: str, *, offline: bool) -> dict[str, Table]:
    """Reads a data set from the Hub, or from the local cache if it has been read before.

    Args:
        name: The id of the data set, or a local folder with the files of one.
        entry: Its subset, revision and splits.
        label: The label column.
        offline: Never ask the network.

    Returns:
        The splits of the entry that the data set has. Class ids have become names: single ones in
        a categorical column that keeps their order, lists of them with the order in
        `Table.declared`.

    Raises:
        InputError: If the data set cannot be had, or has no such subset or no training rows.
    """
    found = _load(name, entry, offline)
    if entry.splits["train"] not in found:
        splits = ", ".join(map(str, found))
        raise InputError(
            f"Data set {name}: expected a split {entry.splits['train']!r}, got {splits}."
        )
    title = f"{name}/{entry.subset}" if entry.subset else name
    return {
        split: _to_table(f"{title} split {there}", found[there], label)
        for split, there in entry.splits.items()
        if there in found
    }


def _load(name: str, entry: Entry, offline: bool) -> "DatasetDict":
    from datasets import load_dataset

    subset, options = _request(entry)
    try:
        with _no_network():
            return load_dataset(name, subset, **options)
    except (OSError, ValueError, RuntimeError) as error:
        if offline:
            raise InputError(_explain(name, error, offline)) from error
    try:
        return with_backoff(lambda: load_dataset(name, subset, **options), f"Data set {name}")
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(_explain(name, error, offline)) from error


def _request(entry: Entry) -> tuple[str | None, dict[str, Any]]:
    """The subset and the keywords that `load_dataset` is to be asked for.

    The Hub's own Parquet copies know no subsets: these are folders of files there.
    """
    if entry.revision != PARQUET:
        return entry.subset, {"revision": entry.revision} if entry.revision else {}
    there = entry.splits.values()
    files = {split: f"{entry.subset or 'default'}/{split}/*.parquet" for split in there}
    return None, {"revision": PARQUET, "data_files": files}


@contextmanager
def _no_network() -> Iterator[None]:
    """Lets `datasets` look at what is stored locally only, and keep quiet about it."""
    from datasets import config, logging

    offline, verbosity = config.HF_HUB_OFFLINE, logging.get_verbosity()
    config.HF_HUB_OFFLINE = True
    logging.set_verbosity_error()
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = offline
        logging.set_verbosity(verbosity)


def _explain(name: str, error: Exception, offline: bool) -> str:
    reason = " ".join(str(error).split())
    if "scripts are no longer supported" in reason:
        return (
            f"Data set {name}: it is a loading script, which datasets no longer runs; give a folder"
            " with its rows by --task.path."
        )
    remedy = f"among the built-in tasks, {near_names(name, list(REGISTRY))}"
    if isinstance(error, ConnectionError):
        state = "and offline" if offline else "and the Hub cannot be reached"
        return f"Data set {name}: no local copy, {state}; {remedy}"
    if isinstance(error, FileNotFoundError):
        return f"Data set {name}: {reason.removesuffix('.')}; {remedy}"
    return f"Data set {name}: {reason}"


def _to_table(source: str, dataset: "Dataset", label: str) -> Table:
    from datasets import ClassLabel

    frame = cast(pd.DataFrame, dataset.to_pandas())
    feature = dataset.features.get(label)
    if isinstance(feature, ClassLabel):
        ids = frame[label].fillna(-1).astype(int)
        frame[label] = pd.Categorical.from_codes(ids, categories=feature.names)
    item = getattr(feature, "feature", None)
    if not isinstance(item, ClassLabel):
        return Table(source, frame)
    names = [*item.names, None]  # the last is that of -1, which withholds a label
    frame[label] = [[names[index] for index in ids] for ids in frame[label]]
    return Table(source, frame, declared=tuple(item.names))
