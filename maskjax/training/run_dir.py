"""The folder of a run: one process writes in it, and it resumes the run that it holds."""

import fcntl
import os
import shutil
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from maskjax.config import Config, config_to_dict, flat_settings, load_config, read_json
from maskjax.errors import InputError
from maskjax.taskfile import METRICS_FILE, TASK_FILE
from maskjax.taskfile.find_runs import CONFIG_FILE, INTERNAL

RESULT_FILE = "result.json"
LOCK_FILE = "run.lock"
FREE = frozenset(
    {
        *("train.checkpoint_minutes", "train.check_finite", "model.offline", "task.cache"),
        *("mesh.data", "mesh.model", "mesh.fsdp"),
    }
)
"""Settings that may change when a run resumes, since its result does not depend on them."""
RAISABLE = frozenset({"train.epochs"})
"""Settings that may be raised when a run resumes."""


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Keeps a run folder for this process.

    A lock of the operating system is held on `run.lock`, which names this process. The lock ends
    with the process, however it ends, so that a file left behind does not block a later run. On a
    local disk that holds for all processes; on a mounted Drive, or where a network disk has no such
    locks across machines, for the processes of one machine only.
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


class FolderState(NamedTuple):
    """What a run folder means for the run that is to go there."""

    replaced: bool = False  # whether what it holds has to be deleted first
    note: str = ""  # what people should know; usually nothing


def check_folder(folder: Path, config: Config, *, overwrite: bool = False) -> FolderState:
    """Refuses a folder that holds another run, or one that is finished."""
    try:
        return _check_folder(folder, config)
    except InputError:
        if overwrite and _is_run(folder):
            return FolderState(replaced=True)
        raise


def _check_folder(folder: Path, config: Config) -> FolderState:
    first, seeds = config.train.seed, config.train.seeds
    inside = [folder / f"seed-{seed}" for seed in range(first, first + seeds) if seeds > 1]
    has_config = (folder / CONFIG_FILE).exists()
    occupied = [path for path in inside if not has_config and (path / CONFIG_FILE).exists()]
    if (folder / RESULT_FILE).exists() or occupied:
        place = next(iter(occupied), folder)
        raise InputError(
            f"{place}: already holds a run; only one that was interrupted resumes: choose another "
            "--out, or give --overwrite."
        )
    if not has_config:
        return FolderState()
    before, now = check_stored(folder, config).train.epochs, config.train.epochs
    return FolderState(note=_RAISED.format(before=before, now=now) if before < now else "")


def check_stored(folder: Path, config: Config) -> Config:
    """Refuses a run folder that was begun with other settings; both are resolved."""
    there = load_config(folder / CONFIG_FILE)
    raisable = frozenset() if (folder / RESULT_FILE).exists() else RAISABLE
    settings = config_to_dict(there), config_to_dict(config)
    check_settings(str(folder), *settings, raisable=raisable)
    return there


def check_settings(
    where: str,
    there: Mapping[str, Any],
    here: Mapping[str, Any],
    *,
    raisable: Collection[str] = (),
) -> None:
    """Refuses to resume a run of other settings.

    Example:
        >>> check_settings("runs/a", {"train": {"seed": 1}}, {"train": {"seed": 2}})
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: runs/a: holds a run of other settings (train.seed: 1 there, \
2 now); choose another --out, or give --overwrite.
    """
    old, new = dict(flat_settings(there)), dict(flat_settings(here))
    names = sorted(name for name in old | new if name not in FREE)
    differing = [
        f"{name}: {old.get(name)} there, {new.get(name)} now"
        for name in names
        if old.get(name) != new.get(name)
        and not (name in raisable and _is_raised(old.get(name), new.get(name)))
    ]
    if differing:
        raise InputError(
            f"{where}: holds a run of other settings ({'; '.join(differing)}); "
            "choose another --out, or give --overwrite."
        )


def _is_raised(before: Any, now: Any) -> bool:
    return type(before) is type(now) is int and before < now


def _is_run(folder: Path) -> bool:
    """Whether the folder holds a run, and not, say, another program's config.json."""
    return any((folder / name).is_file() for name in (METRICS_FILE, TASK_FILE)) or bool(
        _seed_folders(folder)
    )


_RAISED = (
    "train.epochs is raised from {before} to {now}: from here on the learning rate follows the"
    " schedule of {now}, so that the result is not that of a run of {now} from the start"
)


def read_result(folder: Path, *keys: str) -> dict[str, Any]:
    """Reads what a finished run says of itself."""
    path = folder / RESULT_FILE
    result = read_json(path)
    if not isinstance(result, dict) or not set(keys) <= result.keys():
        wanted = f" with {', '.join(keys)}" if keys else ""
        raise InputError(f"{path}: expected the results of a run{wanted}; train again.")
    return result


def clear_run(folder: Path) -> None:
    """Deletes what a run or several seeds left in a folder, and no other file."""
    for name in (RESULT_FILE, TASK_FILE, CONFIG_FILE, METRICS_FILE, *sorted(INTERNAL)):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for seed in _seed_folders(folder):
        clear_run(seed)
        _remove_empty([seed])


def _seed_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("seed-*") if (path / CONFIG_FILE).exists())


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
