"""The task files in a folder: where they are, under which names, and which version each is."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maskjax.taskfile import TASK_FILE, LeftOut, find_runs


class Stamp(NamedTuple):
    """What distinguishes one version of a file from the next.

    Attributes:
        inode: Another one where the file was replaced.
        size: In bytes.
        time: The time of the last change, in nanoseconds.
    """

    inode: int
    size: int
    time: int


def task_name(path: Path, folder: Path) -> str:
    """The name under which a task is served.

    Args:
        path: The task file.
        folder: The folder that is served.

    Returns:
        The path of the run folder within the folder, or the name of the file without its suffix.

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


def find_files(folder: Path) -> tuple[dict[Path, Stamp], list[LeftOut]]:
    """Finds the task files in a folder, and those of the runs in it at any depth."""
    inside, found = find_runs(folder), {}
    for path in sorted([*inside.files, *(run / TASK_FILE for run in inside.runs)]):
        try:
            status = path.stat()
        except OSError:  # it was deleted, or its link was bent, since the folder was listed
            continue
        found[path] = Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
    return found, [*inside.left_out, *_unusable(folder)]


def _unusable(folder: Path) -> Iterator[LeftOut]:
    """What is in a folder and is neither a file nor a folder, such as a pipe or a broken link."""
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
