"""Tasks from the Hugging Face Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pandas as pd

from maskjax.errors import InputError, near_names
from maskjax.tasks.registry import REGISTRY
from maskjax.tasks.tables import Table

if TYPE_CHECKING:  # slow to import
    from datasets import Dataset, DatasetDict

# What the Hub calls a split.
SPLITS = {"train": "train", "dev": "validation", "test": "test"}


def read_hub(name: str, subset: str | None, label: str, *, offline: bool) -> dict[str, Table]:
    """Reads a data set from the Hub, or from the local cache if it has been read before.

    Args:
        name: The id of the data set, or a local folder with the files of one.
        subset: Its configuration, where it has several.
        label: Its label column.
        offline: Never ask the network.

    Returns:
        The splits "train", "dev" and "test" that the data set has. Class ids have become names, in
        a categorical column that keeps their order. A dev or test split is left out if its labels
        are withheld, which the Hub marks by -1.

    Raises:
        InputError: If the data set cannot be had, or has no such subset or no training rows.
    """
    found = _load(name, subset, offline)
    if "train" not in found:
        splits = ", ".join(map(str, found))
        raise InputError(f"Data set {name}: expected a split 'train', got {splits}.")
    title = f"{name}/{subset}" if subset else name
    tables = {
        split: Table(f"{title} split {there}", _to_frame(found[there], label))
        for split, there in SPLITS.items()
        if there in found
    }
    return {
        split: table
        for split, table in tables.items()
        if split == "train" or not _is_withheld(table.frame, label)
    }


def _load(name: str, subset: str | None, offline: bool) -> "DatasetDict":
    from datasets import load_dataset

    try:
        with _no_network():
            return load_dataset(name, subset)
    except (OSError, ValueError, RuntimeError) as error:
        if offline:
            raise InputError(_explain(name, error, offline)) from error
    try:
        return load_dataset(name, subset)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(_explain(name, error, offline)) from error


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


def _to_frame(dataset: "Dataset", label: str) -> pd.DataFrame:
    from datasets import ClassLabel

    frame = cast(pd.DataFrame, dataset.to_pandas())
    feature = dataset.features.get(label)
    if isinstance(feature, ClassLabel):
        ids = frame[label].fillna(-1).astype(int)
        frame[label] = pd.Categorical.from_codes(ids, categories=feature.names)
    return frame


def _is_withheld(frame: pd.DataFrame, label: str) -> bool:
    return label in frame and bool((frame[label].isna() | (frame[label] == -1)).all())
