"""Several hosts: a process on each, all of them making the same calls over one mesh of devices.

JAX's own runtime joins them (https://docs.jax.dev/en/latest/multi_process.html) and divides every
program among them. What is left to do here is what that runtime does not see: who prints and
writes, that all agree before they start, and that what stops one of them stops all.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.experimental import multihost_utils

from maskjax.errors import InputError
from maskjax.training.folder import claim_folder

if TYPE_CHECKING:
    from etils import epath

AUTO = "auto"
"""The word for hosts that JAX finds by itself."""
PARTING = 10
"""Seconds that a process which ends waits for the others; then all of them are ended."""


class ElsewhereError(InputError):
    """Another process cannot go on, and says why."""


def join(hosts: str) -> None:
    """Joins this process with those on other hosts; to be called before JAX makes any array.

    Args:
        hosts: `auto` on a TPU slice and under Slurm, Open MPI or Kubernetes, where JAX finds out.
            Else `PROCESS/PROCESSES@ADDRESS:PORT`: which one of how many this is, from 0, and a
            free port of the host of process 0.

    Raises:
        InputError: If it says something else, or if JAX does not find out.
    """
    if hosts == AUTO:
        _join_found()
        return
    found = re.fullmatch(r"(\d+)/(\d+)@(\S+:\d+)", hosts)
    if not found or int(found[1]) >= int(found[2]):
        raise InputError(
            f"--hosts: expected auto or PROCESS/PROCESSES@ADDRESS:PORT, such as "
            f"0/2@10.0.0.1:8476, with processes counted from 0; got {hosts!r}."
        )
    # Deactivated, since JAX would ask Slurm and the like which of the host's devices to take.
    jax.distributed.initialize(
        found[3],
        num_processes=int(found[2]),
        process_id=int(found[1]),
        cluster_detection_method="deactivate",
        shutdown_timeout_seconds=PARTING,
    )


def _join_found() -> None:
    try:
        jax.distributed.initialize(shutdown_timeout_seconds=PARTING)
    except ValueError as error:  # of what it would have to be told
        raise InputError(
            "--hosts auto: JAX finds no TPU slice, Slurm, Open MPI or Kubernetes here; give "
            "--hosts PROCESS/PROCESSES@ADDRESS:PORT."
        ) from error


def several() -> bool:
    """Whether there is more than one process."""
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that prints and writes."""
    return jax.process_index() == 0


def first_says(flag: bool) -> bool:
    """What the first process says, for decisions by the clock; all wait for it.

    Args:
        flag: What this process says.

    Returns:
        The flag of the first.
    """
    return bool(multihost_utils.broadcast_one_to_all(np.array(flag)))


@contextmanager
def together() -> Iterator[None]:
    """Raises in all processes if its block raises in one; all wait for that at its end.

    Within the block no process may wait for another.

    Yields:
        Nothing.

    Raises:
        ElsewhereError: If it has failed in another process.
    """
    failed = np.array(True)
    try:
        yield
        failed = np.array(False)
    finally:
        everywhere = _from_all(failed)
    if everywhere.any():
        names = ", ".join(str(process) for process in np.flatnonzero(everywhere))
        raise ElsewhereError(f"--hosts: process {names} cannot go on; it says why.")


@contextmanager
def run_folder(folder: Path) -> Iterator[Path]:
    """The folder that this process writes a run in.

    Args:
        folder: Of the run.

    Yields:
        In the first process this folder, claimed; in the others one that is thrown away, so that
        they do the very same and leave nothing.

    Raises:
        InputError: If the folder cannot be claimed, or the devices are those of several hosts
            whose processes were not joined.
    """
    if several() and not jax.distributed.is_initialized():
        raise InputError(
            f"this is one of {jax.process_count()} hosts of a slice: set --hosts auto, and start "
            "the same command on all of them."
        )
    if is_first():
        with claim_folder(folder):
            yield folder
    else:
        with TemporaryDirectory(prefix="maskjax-") as other:
            yield Path(other)


def check_same(name: str, content: bytes) -> None:
    """Refuses hosts that were not given the same.

    Args:
        name: Of what they were given, for the message.
        content: It, in this process.

    Raises:
        InputError: If it is something else in another process.
    """
    sums = _from_all(np.array(zlib.crc32(content), np.uint32))
    if (sums != sums[0]).any():
        different = ", ".join(str(process) for process in np.flatnonzero(sums != sums[0]))
        raise InputError(f"--hosts: process {different} has other {name} than process 0.")


def check_shared(folder: "epath.Path") -> None:
    """Refuses a folder that is another one on each host, in which no checkpoint would be whole.

    Args:
        folder: It exists where the first process is.

    Raises:
        InputError: If another process does not find there what the first has written.
    """
    if not several():
        return
    note = folder / f"shared-{multihost_utils.broadcast_one_to_all(_random_number())}"
    if is_first():
        note.touch()
    with together():
        pass
    missing = _from_all(np.array(not note.exists()))
    if is_first():
        note.unlink()
    if missing.any():
        raise InputError(
            f"train.checkpoints: {folder} is not the same folder on all hosts; set "
            "--train.checkpoints to one that they share, or to gs://..."
        )


def _random_number() -> np.ndarray:
    return np.random.default_rng().integers(2**31, dtype=np.int32, size=())


def _from_all(value: np.ndarray) -> np.ndarray:
    """A value of each process, `[processes, ...]`."""
    return np.asarray(multihost_utils.process_allgather(value[None], tiled=True))
