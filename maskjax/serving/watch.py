"""A folder of runs and task files that may change while it is served.

The folder is listed every few seconds. A file whose size and time are equal in two listings is
assumed to be complete; its checksum shows whether it is, and the base's digest whether it fits.
"""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from maskjax.errors import InputError, visible
from maskjax.inference import Predictor
from maskjax.serving.folder import FileVersion, find_files, task_name
from maskjax.serving.metrics import Metrics
from maskjax.taskfile import LeftOut
from maskjax.taskfile.find_runs import UNREADABLE

log = logging.getLogger("maskjax.serving")


class Watcher:
    """Keeps the tasks of a predictor those of a folder.

    A file that is damaged or of another base is refused once, in the log and the metrics, and
    what was served under its name stays served. Of two files of one name the first wins. No file
    stops the watcher: an unexpected error refuses that file too, with its traceback in the log.

    Attributes:
        ready: Whether all files of the first listing were read, and programs for their tasks
            compiled.

    Args:
        folder: The folder of runs and task files.
        predictor: Its tasks are added and removed.
        metrics: Counts the files.
        seconds: Between two listings.
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
        self._seen: dict[Path, FileVersion] | None = None
        self._handled: dict[Path, FileVersion] = {}
        self._served: dict[str, Path] = {}
        self._skipped: set[str] = set()
        self._problem = ""

    async def run(self) -> None:
        """Polls the folder until it is cancelled."""
        # A thread of its own: a file on a slow disk must not keep requests waiting.
        pool = ThreadPoolExecutor(1, "maskjax-watch")
        try:
            while True:
                await asyncio.get_running_loop().run_in_executor(pool, self._poll)
                await asyncio.sleep(self._seconds)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> None:
        try:
            for path in self.changed_files():
                self.update(path)
            if self._seen is not None and not self.ready:
                self._compile()
        except Exception as error:  # the next poll may succeed
            self._warn_once(f"{type(error).__name__}: {error}; its tasks stay", trace=True)

    def changed_files(self) -> list[Path]:
        """Lists the files to update: new, changed or removed, and stable since the last listing.

        Returns:
            Their paths, removed ones first; at first every file. While the folder cannot be read
            there are none, so no task is removed.
        """
        try:
            present, left_out = find_files(self._folder)
        except OSError as error:
            self._warn_once(f"cannot be read: {error.strerror}; its tasks stay")
            return []
        self._problem = ""
        skipped = {visible(entry) for entry in left_out}
        for line in sorted(skipped - self._skipped):
            log.info("skipped %s", line)
        self._skipped = skipped
        before = present if self._seen is None else self._seen
        present |= _unreadable_files(before, present, left_out)
        self._seen = present
        return list(self._changes(before, present))

    def update(self, path: Path) -> None:
        """Adds, replaces, removes or refuses the task of a file.

        Args:
            path: From `changed_files`.
        """
        version = (self._seen or {}).get(path)
        try:
            if version is None:
                self._remove(path)
            else:
                self._handled[path] = version
                self._add(path)
        except InputError as error:
            self._refuse(path, str(error))
        except OSError as error:
            self._refuse(path, f"cannot be read: {error.strerror or error}")
        except Exception as error:  # unexpected, but only this file's problem
            self._refuse(path, f"unexpected {type(error).__name__}: {error}", trace=True)

    def _add(self, path: Path) -> None:
        name = self._name(path)
        if not name.isprintable():
            raise InputError("expected a name that can be printed; rename it.")
        owner = self._served.get(name, path)
        if owner != path:
            raise InputError(f"there is a task {name!r} already, from {owner}")
        self._predictor.add(path, name)
        self._served[name] = path
        self._log_event("added", path)

    def _remove(self, path: Path) -> None:
        del self._handled[path]
        name = self._name(path)
        if self._served.get(name) != path:
            return
        del self._served[name]
        for other in [other for other in self._handled if self._name(other) == name]:
            del self._handled[other]  # a file that lost to this one is read again
        self._predictor.remove(name)
        self._metrics.forget(name)
        self._log_event("removed", path)

    def _name(self, path: Path) -> str:
        return task_name(path, self._folder)

    def _compile(self) -> None:
        """Compiles; where that fails, each request for such a task gets its own error."""
        try:
            if self._warm_up:
                programs = self._predictor.warm_up()
                log.info("%d tasks are ready, with %d programs", len(self._served), programs)
        finally:
            self.ready = True

    def _changes(
        self, before: dict[Path, FileVersion], present: dict[Path, FileVersion]
    ) -> Iterator[Path]:
        yield from [path for path in self._handled if path not in before and path not in present]
        for path, version in present.items():
            if before.get(path) == version != self._handled.get(path):
                yield path

    def _refuse(self, path: Path, reason: str, *, trace: bool = False) -> None:
        kept = "; the task that was there stays" if self._name(path) in self._served else ""
        self._metrics.task_files.labels("refused").inc()
        log.warning(
            "refused %s: %s%s", visible(path), visible(reason), kept, exc_info=trace or None
        )

    def _log_event(self, event: str, path: Path) -> None:
        self._metrics.task_files.labels(event).inc()
        log.info("%s task %s from %s", event, self._name(path), visible(path))

    def _warn_once(self, problem: str, *, trace: bool = False) -> None:
        """Logs a problem of the folder when it begins, not at every poll."""
        if problem != self._problem:
            log.warning("%s: %s", visible(self._folder), visible(problem), exc_info=trace or None)
        self._problem = problem


def _unreadable_files(
    before: dict[Path, FileVersion], present: dict[Path, FileVersion], left_out: list[LeftOut]
) -> dict[Path, FileVersion]:
    """Files in folders that cannot be read now; they may still be there."""
    folders = [entry.path for entry in left_out if entry.reason.startswith(UNREADABLE)]
    return {
        path: version
        for path, version in before.items()
        if path not in present and any(path.is_relative_to(folder) for folder in folders)
    }
