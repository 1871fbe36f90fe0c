"""The task files in a folder: where they are, under which names, and which version each is."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maskjax.taskfile import TASK_FILE, LeftOut, find_runs


class FileVersion(NamedTuple):
    """What differs between two versions of a file."""

    inode: int  # differs where the file was replaced
    size: int  # in bytes
    time: int  # of the last change, in nanoseconds


def task_name(path: Path, folder: Path) -> str:
    """The name under which a task is served: its run folder's path, or the stem of its file.

    Example:
        >>> served = Path("tasks")
        >>> task_name(served / "sst2.mask", served), task_name(served / "mrpc" / TASK_FILE, served)
        ('sst2', 'mrpc')
        >>> task_name(served / "rte" / "seed-0" / TASK_FILE, served)
        'rte/seed-0'
    """
    if path.name != TASK_FILE:
        return path.stem
    if path.parent == folder:
        return folder.resolve().name
    return path.parent.relative_to(folder).as_posix()


def find_files(folder: Path) -> tuple[dict[Path, FileVersion], list[LeftOut]]:
    """Finds the task files in a folder, and those of the runs in it at any depth."""
    runs, versions = find_runs(folder), {}
    for path in sorted([*runs.files, *(run / TASK_FILE for run in runs.runs)]):
        try:
            status = path.stat()
        except OSError:  # it was deleted or moved since the folder was listed
            continue
        versions[path] = FileVersion(status.st_ino, status.st_size, status.st_mtime_ns)
    return versions, [*runs.left_out, *_unusable(folder)]


def _unusable(folder: Path) -> Iterator[LeftOut]:
    """Entries of a folder that are neither files nor folders, such as pipes and broken links."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if path.is_symlink():  # else it was deleted since the folder was listed
                yield LeftOut(path, f"is a link that leads nowhere: {error.strerror}")
            continue
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            yield LeftOut(path, "is neither a file nor a folder")
