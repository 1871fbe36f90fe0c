"""Checkpoints: all that changes while a run trains, so that a killed run goes on where it was.

orbax-checkpoint writes them, in the background and each under another name until it is whole. The
frozen base is in none of them. Importing this module imports orbax, which takes a second.
"""

import logging
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
from maskjax.training import hosts
from maskjax.training.folder import check_settings
from maskjax.training.plain import Plain, digest_plain, from_plain, to_plain

Tree = TypeVar("Tree")
KEEP = 2
"""Checkpoints that are kept; the older one is for when the newer one cannot be read."""
DIGEST = "digest"


class Checkpoints:
    """The newest checkpoints of one run.

    Args:
        folder: A local folder, a mounted one, or `gs://...`; made if it is missing. It must be of
            this run alone. What a killed process left half-written in it is deleted.
        settings: Of the run, as JSON values; every checkpoint names them.
        minutes: Between two checkpoints by time; None makes none by time.
        tell: Takes a line for people.

    Raises:
        InputError: If the folder cannot be written.
    """

    def __init__(
        self,
        folder: str,
        settings: Mapping[str, Any],
        minutes: float | None,
        tell: Callable[[str], None],
    ) -> None:
        place = epath.Path(folder)
        self._folder = place if "://" in folder else place.expanduser().absolute()
        self._settings = settings
        self._seconds = np.inf if minutes is None else 60 * minutes
        self._tell = tell
        self._saved = time.perf_counter()
        self._wanted = False
        logging.getLogger("absl").addFilter(_without_orbax)
        with self._writing():
            self._manager = ocp.CheckpointManager(
                self._folder,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=LatestN(KEEP), cleanup_tmp_directories=True
                ),
                # Random scores do not get smaller by compression, only later.
                item_handlers=ocp.PyTreeCheckpointHandler(use_compression=False),
            )
        hosts.check_shared(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for what is being written; but not if other hosts may wait for this one."""
        if error is not None and hosts.several():
            return
        with self._writing():
            self._manager.close()

    def due(self, best: bool) -> bool:
        """Whether to save now.

        Args:
            best: Whether an evaluation found something better just now.

        Returns:
            True if so, or if the time is over; but not while an earlier checkpoint is still being
            written, in which case it is due as soon as that is done.
        """
        self._wanted |= best or time.perf_counter() - self._saved >= self._seconds
        return self._wanted and not self._manager.is_saving_in_progress()

    def save(self, step: int, state: Any) -> None:
        """Copies a state, and writes it in the background.

        Args:
            step: Steps done.
            state: A pytree of arrays of JAX and of NumPy, keys and numbers.

        Raises:
            InputError: If this or the checkpoint before cannot be written. What is there already
                stays readable, and nothing half-written is left behind.
        """
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
        """Waits for what is being written.

        Raises:
            InputError: If it cannot be written.
        """
        with self._writing():
            self._manager.wait_until_finished()

    def restore(self, like: Tree) -> Tree | None:
        """Reads the newest checkpoint that is whole; newer ones that are not are deleted.

        Args:
            like: A state such as the one that was saved; arrays get its shardings, so that the
                number of devices may have changed.

        Returns:
            The state that was saved; None if there is no checkpoint.

        Raises:
            InputError: If a checkpoint is of a run of other settings, or if none is whole.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        for index, step in enumerate(steps):
            try:
                with hosts.together():
                    self._check_settings(step)
                    found = self._read(step, to_plain(like))
                _check_digest(found)
            except Exception as error:  # a damaged file can make orbax raise anything
                if isinstance(error, InputError) and not isinstance(error, hosts.ElsewhereError):
                    raise
                self._tell(f"the checkpoint of step {step} is damaged ({one_line(error)[:120]})")
                continue
            for damaged in steps[:index]:
                self._manager.delete(damaged)
            self._tell(f"goes on from step {step}: {self._manager.directory / str(step)}")
            return from_plain(found, like)
        if steps:
            raise InputError(f"{self._folder}: no checkpoint is whole; delete it to start again.")
        return None

    def remove(self) -> None:
        """Deletes the checkpoints of a run that is over."""
        self.wait()
        for step in self._manager.all_steps():
            self._manager.delete(step)
        if hosts.is_first() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _check_settings(self, step: int) -> None:
        settings = (self._manager.metadata(step).custom_metadata or {}).get("settings")
        if settings:
            check_settings(str(self._folder), settings, self._settings)

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
                part.rmtree()
            raise InputError(
                f"{self._folder}: no checkpoint can be written: {_reason(error)}."
            ) from error


def _check_digest(found: dict[str, Any]) -> None:
    digest = found.pop(DIGEST)
    if not np.array_equal(digest, digest_plain(found)):
        raise ValueError("numbers have changed since they were written")


def _without_orbax(record: logging.LogRecord) -> bool:
    """What goes wrong in orbax is raised as well; its log would add pages of traceback."""
    return "orbax" not in record.pathname


def _reason(error: OSError | ValueError) -> str:
    """Of a full disk tensorstore says so at the end of a long line."""
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error).rpartition(": ")[2]
