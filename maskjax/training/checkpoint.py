"""Checkpoints: all that changes while a run trains, so that a killed run resumes where it was.

orbax-checkpoint writes them, in the background and each under another name until it is whole. The
frozen base is in none of them. Importing this module imports orbax, which takes a second.
"""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import LatestN

from maskjax.errors import InputError, one_line
from maskjax.folders import expand_home
from maskjax.training import distributed
from maskjax.training.orbax_noise import silence_orbax
from maskjax.training.plain import Plain, digest_plain, from_plain, to_plain
from maskjax.training.run_dir import RAISABLE, check_settings

Tree = TypeVar("Tree")
KEEP = 2
"""Checkpoints that are kept; the older one is for when the newer one cannot be read."""
DIGEST = "digest"


class Checkpoints:
    """The newest checkpoints of one run."""

    def __init__(
        self,
        folder: str,
        settings: Mapping[str, Any],
        minutes: float | None,
        tell: Callable[[str], None],
    ) -> None:
        local = "://" not in folder
        self._folder = epath.Path(expand_home(folder).absolute() if local else folder)
        self._settings = settings
        self._seconds = np.inf if minutes is None else 60 * minutes
        self._tell = tell
        self._saved = time.perf_counter()
        self._wanted = False
        silence_orbax()
        with self._writing():
            self._manager = ocp.CheckpointManager(
                self._folder,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=LatestN(KEEP), cleanup_tmp_directories=True
                ),
                # Random scores do not get smaller by compression, only later.
                item_handlers=ocp.PyTreeCheckpointHandler(use_compression=False),
            )
        distributed.check_shared(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for what is being written; but not if other hosts may wait for this one."""
        if error is not None and distributed.is_multiprocess():
            return
        with self._writing():
            self._manager.close()

    def due(self, best: bool) -> bool:
        """Whether to save now."""
        self._wanted |= best or time.perf_counter() - self._saved >= self._seconds
        return self._wanted and not self._manager.is_saving_in_progress()

    def save(self, step: int, state: Any) -> None:
        """Copies a state, and writes it in the background."""
        self._saved, self._wanted = time.perf_counter(), False
        if step == self._manager.latest_step():
            return
        leaves = to_plain(state)
        with self._writing():
            self._manager.save(
                step,
                args=ocp.args.PyTreeSave({**leaves, DIGEST: digest_plain(leaves)}),
                custom_metadata={"settings": self._settings},
            )

    def wait(self) -> None:
        """Waits for what is being written."""
        with self._writing():
            self._manager.wait_until_finished()

    def restore(self, like: Tree) -> Tree | None:
        """Reads the newest checkpoint that is whole; newer ones that are not are deleted."""
        steps = sorted(self._manager.all_steps(), reverse=True)
        for index, step in enumerate(steps):
            try:
                with distributed.together():
                    self._check_settings(step)
                    tensors = self._read(step, to_plain(like))
                _check_digest(tensors)
            except Exception as error:  # a damaged file can make orbax raise anything
                if isinstance(error, InputError) and not isinstance(
                    error, distributed.ElsewhereError
                ):
                    raise
                self._tell(f"the checkpoint of step {step} is damaged ({one_line(error)[:120]})")
                continue
            for damaged in steps[:index]:
                self._manager.delete(damaged)
            self._tell(f"resumes from step {step}: {self._manager.directory / str(step)}")
            return from_plain(tensors, like)
        if steps:
            raise InputError(f"{self._folder}: no checkpoint is whole; delete it to start again.")
        return None

    def clear(self) -> None:
        """Deletes the checkpoints of an earlier run."""
        for step in self._manager.all_steps():
            self._manager.delete(step)

    def remove(self) -> None:
        """Deletes the checkpoints of a run that is over."""
        self.wait()
        self.clear()
        if distributed.is_primary() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _check_settings(self, step: int) -> None:
        settings = (self._manager.metadata(step).custom_metadata or {}).get("settings")
        if settings:
            check_settings(str(self._folder), settings, self._settings, raisable=RAISABLE)

    def _read(self, step: int, like: Plain) -> dict[str, Any]:
        """Without the other hosts, who would wait for one that cannot read its part."""
        me = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(
            primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"reader-{me}"
        )
        handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
        target = {**like, DIGEST: np.zeros(len(like), np.uint32)}
        arguments = ocp.checkpoint_utils.construct_restore_args(target)
        with ocp.Checkpointer(handler, multiprocessing_options=alone) as reader:
            return dict(
                reader.restore(
                    self._manager.directory / str(step) / "default",
                    args=ocp.args.PyTreeRestore(target, restore_args=arguments),
                )
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what goes wrong on the disk into one line, and tidies up."""
        try:
            yield
        except ImportError as error:
            raise InputError(f"train.checkpoints: {self._folder}: {one_line(error)}.") from error
        except (OSError, ValueError) as error:
            for part in self._folder.glob("*.orbax-checkpoint-tmp"):
                _delete(part)
            raise InputError(
                f"{self._folder}: no checkpoint can be written: {_reason(error)}."
            ) from error


def _delete(folder: epath.Path) -> None:
    """Deletes what is half-written, and what other writes of orbax add to it meanwhile."""
    waits = iter(np.geomspace(0.01, 5, 10))
    while folder.exists():
        try:
            folder.rmtree()
        except OSError as error:
            wait = next(waits, None)
            if wait is None or error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise
            time.sleep(wait)


def _check_digest(tensors: dict[str, Any]) -> None:
    digest = tensors.pop(DIGEST)
    if not np.array_equal(digest, digest_plain(tensors)):
        raise ValueError("numbers have changed since they were written")


def _reason(error: OSError | ValueError) -> str:
    """Finds "no space left" at the end of the long line that tensorstore writes for a full disk."""
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error).rpartition(": ")[2].partition(" [os_error_code")[0]
