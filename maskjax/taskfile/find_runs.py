"""A search for runs below a folder, such as the seeds of one experiment."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maskjax.taskfile.taskfile import TASK_FILE

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
"""The file that a run creates at its first step."""
INTERNAL = frozenset({"checkpoints", "snapshots", "tensorboard"})
"""Folders next to a `CONFIG_FILE` that hold no runs."""
SUFFIXES = (".safetensors", ".mask")
"""Suffixes of task files that belong to no run folder."""
EMPTY = "holds no finished run"
UNREADABLE = "cannot be read"
"""The start of the reason of a `LeftOut` whose content is unknown, unlike that of an empty one."""
MAX_DEPTH = 64
"""The maximum depth of the search; deeper folders are left out."""
UNFINISHED = f"the run is not finished, it has no {TASK_FILE}; the command that began it resumes it"


class LeftOut(NamedTuple):
    """A path that cannot be used as a run.

    Attributes:
        path: The path.
        reason: Why it cannot be used.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class FoundRuns(NamedTuple):
    """The content of a folder.

    Attributes:
        runs: Folders with a task file, at any depth.
        files: Task files in the folder itself that belong to no run folder.
        left_out: Folders without a run, and runs that are not finished.
    """

    runs: list[Path]
    files: list[Path]
    left_out: list[LeftOut]


def find_runs(folder: Path) -> FoundRuns:
    """Finds the runs in a folder, at any depth; the folder itself may be one.

    Hidden folders are not searched, and neither are run folders inside. Symbolic links are
    followed; a folder that several of them lead to is searched once.

    Args:
        folder: An existing folder.

    Returns:
        The runs, and what was left out, both in the order of their paths.

    Raises:
        OSError: If the folder cannot be read. A folder inside that cannot be read is left out.

    Example:
        >>> [path.name for path in find_runs(trained.parent).runs]
        ['run']
    """
    results = _search_inside(folder, set(), MAX_DEPTH)
    files = [path for path in _sorted_entries(folder) if _is_task_file(path)]
    if os.path.isfile(folder / TASK_FILE):
        results = [folder, *(item for item in results if isinstance(item, Path))]
    elif not files:
        results = _or_empty(folder, results)
    runs = [item for item in results if isinstance(item, Path)]
    return FoundRuns(runs, files, [item for item in results if isinstance(item, LeftOut)])


def _search_inside(
    folder: Path, searched: set[tuple[int, int]], levels: int
) -> list[Path | LeftOut]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in searched:
        return []  # reached before by a symbolic link, possibly in a cycle
    searched.add((status.st_dev, status.st_ino))
    return [item for inner in _inner_folders(folder) for item in _search(inner, searched, levels)]


def _search(folder: Path, searched: set[tuple[int, int]], levels: int) -> list[Path | LeftOut]:
    """The folder itself if it is a run, else the results in it."""
    if levels == 0:
        return [LeftOut(folder, f"is more than {MAX_DEPTH} folders deep")]
    try:
        if os.path.isfile(folder / TASK_FILE):
            return [folder]
        return _or_empty(folder, _search_inside(folder, searched, levels - 1))
    except (FileNotFoundError, NotADirectoryError):
        return []  # it was deleted during the search
    except OSError as error:
        return [LeftOut(folder, f"{UNREADABLE}: {error.strerror}")]


def _or_empty(folder: Path, results: list[Path | LeftOut]) -> list[Path | LeftOut]:
    """The results in a folder, or a single entry for it if all of them are empty."""
    if any(isinstance(item, Path) or item.reason != EMPTY for item in results):
        return results
    unfinished = os.path.isfile(folder / METRICS_FILE)
    return [LeftOut(folder, UNFINISHED if unfinished else EMPTY)]


def _inner_folders(folder: Path) -> Iterator[Path]:
    internal = INTERNAL if os.path.isfile(folder / CONFIG_FILE) else frozenset()
    for path in _sorted_entries(folder):
        # Unlike Path.is_dir, this is False for every error, such as a link without permission.
        if path.name not in internal and os.path.isdir(path):
            yield path


def _sorted_entries(folder: Path) -> list[Path]:
    """The visible entries of a folder, with seed-2 before seed-10."""
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(visible, key=lambda path: [_number(part) for part in _PARTS.split(path.name)])


_PARTS = re.compile(r"(\d+)")


def _number(part: str) -> tuple[int, str]:
    return (int(part) if part.isdecimal() else -1, part)


def _is_task_file(path: Path) -> bool:
    return path.suffix in SUFFIXES and path.name != TASK_FILE and os.path.isfile(path)
