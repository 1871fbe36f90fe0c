"""Runs below a folder, such as the seeds of one experiment or everything that a demo trained."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maskjax.taskfile.taskfile import TASK_FILE

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
"""The file that a run writes to from its first step on."""
INTERNAL = frozenset({"checkpoints", "snapshots", "tensorboard"})
"""Folders next to a `CONFIG_FILE` that hold no runs."""
SUFFIXES = (".safetensors", ".mask")
"""Suffixes of task files that belong to no run folder."""
EMPTY = "holds no finished run"
UNREADABLE = "cannot be read"
"""How the reason of a `LeftOut` begins whose content is unknown, which is not the same as empty."""
DEEPEST = 64
"""Levels of folders that are searched; deeper ones are left out."""
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
    """
    inside = _search_inside(folder, set(), DEEPEST)
    files = [path for path in _sorted_entries(folder) if _is_task_file(path)]
    if os.path.isfile(folder / TASK_FILE):
        inside = [folder, *(one for one in inside if isinstance(one, Path))]
    elif not files:
        inside = _or_empty(folder, inside)
    runs = [one for one in inside if isinstance(one, Path)]
    return FoundRuns(runs, files, [one for one in inside if isinstance(one, LeftOut)])


def _search_inside(
    folder: Path, searched: set[tuple[int, int]], levels: int
) -> list[Path | LeftOut]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in searched:
        return []  # a symbolic link led here before, possibly in a circle
    searched.add((status.st_dev, status.st_ino))
    return [one for inner in _inner_folders(folder) for one in _search(inner, searched, levels)]


def _search(folder: Path, searched: set[tuple[int, int]], levels: int) -> list[Path | LeftOut]:
    """The folder itself if it is a run, else what is inside."""
    if levels == 0:
        return [LeftOut(folder, f"is more than {DEEPEST} folders deep")]
    try:
        if os.path.isfile(folder / TASK_FILE):
            return [folder]
        return _or_empty(folder, _search_inside(folder, searched, levels - 1))
    except (FileNotFoundError, NotADirectoryError):
        return []  # it was deleted meanwhile
    except OSError as error:
        return [LeftOut(folder, f"{UNREADABLE}: {error.strerror}")]


def _or_empty(folder: Path, inside: list[Path | LeftOut]) -> list[Path | LeftOut]:
    """What is inside a folder, or a single entry for it, however many empty ones it holds."""
    if any(isinstance(one, Path) or one.reason != EMPTY for one in inside):
        return inside
    unfinished = os.path.isfile(folder / METRICS_FILE)
    return [LeftOut(folder, UNFINISHED if unfinished else EMPTY)]


def _inner_folders(folder: Path) -> Iterator[Path]:
    internal = INTERNAL if os.path.isfile(folder / CONFIG_FILE) else frozenset()
    for path in _sorted_entries(folder):
        # Unlike Path.is_dir, this is False for every error, such as a link to a forbidden place.
        if path.name not in internal and os.path.isdir(path):
            yield path


def _sorted_entries(folder: Path) -> list[Path]:
    """What is not hidden, with seed-2 before seed-10."""
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(visible, key=lambda path: [_number(part) for part in _PARTS.split(path.name)])


_PARTS = re.compile(r"(\d+)")


def _number(part: str) -> tuple[int, str]:
    return (int(part) if part.isdecimal() else -1, part)


def _is_task_file(path: Path) -> bool:
    return path.suffix in SUFFIXES and path.name != TASK_FILE and os.path.isfile(path)
