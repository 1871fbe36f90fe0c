"""The folder of a run: one process writes in it, and it goes on with the run that it holds."""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskjax.config import Config, config_to_dict, load_config
from maskjax.errors import InputError

CONFIG_FILE = "config.json"
RESULT_FILE = "result.json"
METRICS_FILE = "metrics.jsonl"
LOCK_FILE = "run.lock"

FREE = frozenset(
    {
        *("train.checkpoint_minutes", "model.offline", "task.cache"),
        *("mesh.data", "mesh.model", "mesh.fsdp"),
    }
)
"""Settings that may change when a run goes on, since its result does not depend on them."""


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Keeps a run folder for this process.

    A lock of the operating system is held on `run.lock`, which names this process. The lock ends
    with the process, however it ends, so that a file left behind refuses nobody. On a local disk
    that holds for all processes; on a mounted Drive, or where a network disk has no such locks
    across machines, for the processes of one machine only.

    Args:
        folder: Made if it is missing; if nothing is put in, it is deleted again.

    Yields:
        Nothing.

    Raises:
        InputError: If another process holds the folder, or if it cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        _remove_empty(made)
        raise InputError(f"{folder}: cannot be written: {error.strerror}.") from error
    try:
        _lock(file, folder)
        try:
            yield
        finally:
            (folder / LOCK_FILE).unlink(missing_ok=True)
    finally:
        os.close(file)
        _remove_empty(made)


def check_folder(folder: Path, config: Config) -> None:
    """Refuses a folder that holds another run, or one that is finished.

    Args:
        folder: The run folder; it may be missing.
        config: Of the run that is to go there.

    Raises:
        InputError: If that is so; settings that differ are listed.
    """
    if (folder / RESULT_FILE).exists():
        raise InputError(f"{folder}: already holds a run; choose another --out, or delete it.")
    if (folder / CONFIG_FILE).exists():
        there = config_to_dict(load_config(folder / CONFIG_FILE))
        check_settings(str(folder), there, config_to_dict(config))


def check_settings(where: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuses to go on with a run of other settings.

    Args:
        where: The place of the earlier run, for the message.
        there: Its settings, nested dicts.
        here: The settings now.

    Raises:
        InputError: If some differ that are not `FREE`; all of them are listed.

    Example:
        >>> check_settings("runs/a", {"train": {"seed": 1}}, {"train": {"seed": 2}})
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: runs/a: holds a run of other settings (train.seed: 1 there, \
2 now); choose another --out, or delete it.
    """
    old, new = dict(flat_settings(there)), dict(flat_settings(here))
    names = sorted(name for name in old | new if name not in FREE)
    differing = [
        f"{name}: {old.get(name)} there, {new.get(name)} now"
        for name in names
        if old.get(name) != new.get(name)
    ]
    if differing:
        raise InputError(
            f"{where}: holds a run of other settings ({'; '.join(differing)}); "
            "choose another --out, or delete it."
        )


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names settings as options do.

    Args:
        settings: Nested dicts, as of `config_to_dict`.
        prefix: Stands before every name.

    Yields:
        Such as `("train.seed", 0)`.
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _lock(file: int, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(file, 200, 0).decode() or "another process"
        raise InputError(
            f"{folder}: {holder} is writing here; wait for it, or choose another --out."
        ) from error
    os.truncate(file, 0)
    os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)


def _remove_empty(folders: list[Path]) -> None:
    for path in folders:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
