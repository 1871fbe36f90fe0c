"""A folder of task files that may change while it is served.

Files are looked at every few seconds. One whose size and time are the same twice in a row is
taken to be whole; whether it is, its checksum tells, and the base's digest whether it fits.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maskjax.errors import InputError
from maskjax.inference import Predictor
from maskjax.serving.metrics import Metrics
from maskjax.taskfile import TASK_FILE

log = logging.getLogger("maskjax.serving")
PATTERNS = ("*.safetensors", "*.mask", f"*/{TASK_FILE}")
"""Task files in the folder itself, and run folders in it."""


class Stamp(NamedTuple):
    """What tells one version of a file from the next.

    Attributes:
        inode: Another one where the file was replaced.
        size: In bytes.
        time: Of the last change, in nanoseconds.
    """

    inode: int
    size: int
    time: int


def task_name(path: Path) -> str:
    """What a task is called.

    Args:
        path: Its file.

    Returns:
        The name of its run folder, or of the file without its ending.

    Example:
        >>> task_name(Path("tasks/mrpc/task.safetensors")), task_name(Path("tasks/sst2.mask"))
        ('mrpc', 'sst2')
    """
    return path.parent.name if path.name == TASK_FILE else path.stem


def find_files(folder: Path) -> dict[Path, Stamp]:
    """The task files of a folder.

    Args:
        folder: A folder of task files and run folders.

    Returns:
        Their stamps by path, sorted.

    Raises:
        OSError: If the folder cannot be read; a file that vanishes meanwhile is left out.
    """
    folder.stat()  # glob finds nothing, without a word, where there is no folder
    found = {}
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # what other programs have not finished writing
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found[path] = Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
    return found


class Watcher:
    """Keeps the tasks of a predictor those of a folder.

    A file that is damaged or of another base is refused once, in the log and the metrics, and
    what was served under its name goes on being served. Of two files of one name the first wins.

    Attributes:
        ready: Whether all files that were there at the start were looked at, and programs for
            their tasks compiled.

    Args:
        folder: Of task files.
        predictor: Gets and loses tasks.
        metrics: What is counted.
        seconds: From one look to the next.
        warm_up: Whether programs are compiled before the first request instead of for it.
    """

    def __init__(
        self,
        folder: Path,
        predictor: Predictor,
        metrics: Metrics,
        *,
        seconds: float = 2.0,
        warm_up: bool = True,
    ) -> None:
        self.ready = False
        self._folder = folder
        self._predictor = predictor
        self._metrics = metrics
        self._seconds = seconds
        self._warm_up = warm_up
        self._seen: dict[Path, Stamp] | None = None
        self._judged: dict[Path, Stamp] = {}
        self._served: dict[str, Path] = {}

    async def run(self) -> None:
        """Looks at the folder, for ever."""
        while True:
            for path in await asyncio.to_thread(self.look):
                await asyncio.to_thread(self.judge, path)
            if self._seen is not None and not self.ready:
                await self._start()
            await asyncio.sleep(self._seconds)

    def look(self) -> list[Path]:
        """Finds the files to judge: new, changed or gone, and the same as at the last look.

        Returns:
            Their paths, the gone ones first; at the first look every file. There are none while
            the folder cannot be read, which takes no task away.
        """
        try:
            found = find_files(self._folder)
        except OSError as error:
            log.warning("%s: cannot be read: %s; its tasks stay", self._folder, error.strerror)
            return []
        before = found if self._seen is None else self._seen
        self._seen = found
        return list(self._changes(before, found))

    def judge(self, path: Path) -> None:
        """Adds, replaces, removes or refuses the task of a file.

        Args:
            path: From `look`.
        """
        name, stamp = task_name(path), (self._seen or {}).get(path)
        if stamp is None:
            self._remove(path, name)
            return
        self._judged[path] = stamp
        owner = self._served.get(name, path)
        if owner != path:
            self._refuse(path, f"there is a task {name!r} already, from {owner}")
            return
        try:
            self._predictor.add(path, name)
        except InputError as error:
            self._refuse(path, str(error))
        except OSError as error:
            self._refuse(path, f"cannot be read: {error.strerror}")
        else:
            self._served[name] = path
            self._tell("added", path)

    async def _start(self) -> None:
        if self._warm_up:
            programs = await asyncio.to_thread(self._predictor.warm_up)
            log.info("%d tasks are ready, with %d programs", len(self._served), programs)
        self.ready = True

    def _changes(self, before: dict[Path, Stamp], found: dict[Path, Stamp]) -> Iterator[Path]:
        yield from (path for path in self._judged if path not in before and path not in found)
        for path, stamp in found.items():
            if before.get(path) == stamp != self._judged.get(path):
                yield path

    def _remove(self, path: Path, name: str) -> None:
        del self._judged[path]
        if self._served.get(name) != path:
            return
        del self._served[name]
        self._predictor.remove(name)
        self._tell("removed", path)
        for other in [other for other in self._judged if task_name(other) == name]:
            del self._judged[other]  # a file that lost to this one is looked at again

    def _refuse(self, path: Path, reason: str) -> None:
        kept = "; the task that was there stays" if task_name(path) in self._served else ""
        self._metrics.task_files.labels("refused").inc()
        log.warning("refused %s: %s%s", path, reason, kept)

    def _tell(self, event: str, path: Path) -> None:
        self._metrics.task_files.labels(event).inc()
        log.info("%s task %s from %s", event, task_name(path), path)
