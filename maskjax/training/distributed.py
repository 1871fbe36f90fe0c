"""Several hosts: a process on each, all of them making the same calls over one mesh of devices.

JAX's own runtime joins them (https://docs.jax.dev/en/latest/multi_process.html) and divides every
program among them. What is left to do here is what that runtime does not see: who prints and
writes, that all agree before they start, and that what stops one of them stops all.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.experimental import multihost_utils

from maskjax.errors import InputError
from maskjax.training.run_dir import claim_folder

if TYPE_CHECKING:
    from etils import epath

AUTO = "auto"
"""The word for hosts that JAX finds by itself."""
PARTING = 10
"""Seconds that a process which ends waits for the others; then all of them are ended."""


class ElsewhereError(InputError):
    """Another process cannot continue, and says why."""


def join(hosts: str) -> None:
    """Joins this process with those on other hosts; to be called before JAX makes any array."""
    if hosts == AUTO:
        _join_found()
        return
    match = re.fullmatch(r"(\d+)/(\d+)@(\S+:\d+)", hosts)
    if not match or int(match[1]) >= int(match[2]):
        raise InputError(
            f"--hosts: expected auto or PROCESS/PROCESSES@ADDRESS:PORT, such as "
            f"0/2@10.0.0.1:8476, with processes counted from 0; got {hosts!r}."
        )
    # Deactivated, since JAX would ask Slurm and the like which of the host's devices to take.
    jax.distributed.initialize(
        match[3],
        num_processes=int(match[2]),
        process_id=int(match[1]),
        cluster_detection_method="deactivate",
        shutdown_timeout_seconds=PARTING,
    )


def _join_found() -> None:
    try:
        jax.distributed.initialize(shutdown_timeout_seconds=PARTING)
    except ValueError as error:  # names the settings that are missing
        raise InputError(
            "--hosts auto: JAX finds no TPU slice, Slurm, Open MPI or Kubernetes here; give "
            "--hosts PROCESS/PROCESSES@ADDRESS:PORT."
        ) from error


def is_multiprocess() -> bool:
    """Whether there is more than one process."""
    return jax.process_count() > 1


def is_primary() -> bool:
    """Whether this is the process that prints and writes."""
    return jax.process_index() == 0


def broadcast_from_primary(flag: bool) -> bool:
    """What the first process says, for what it alone can know; all wait for it."""
    return (
        flag
        if not is_multiprocess()
        else bool(multihost_utils.broadcast_one_to_all(np.array(flag)))
    )


@contextmanager
def together() -> Iterator[None]:
    """Raises in all processes if its block raises in one; all wait for that at its end.

    Within the block no process may wait for another.
    """
    failed = np.array(True)
    try:
        yield
        failed = np.array(False)
    finally:
        everywhere = _from_all(failed)
    if everywhere.any():
        names = ", ".join(str(process) for process in np.flatnonzero(everywhere))
        raise ElsewhereError(f"--hosts: process {names} cannot continue; it says why.")


@contextmanager
def run_folder(folder: Path) -> Iterator[Path]:
    """The folder that this process writes a run in."""
    if is_multiprocess() and not jax.distributed.is_initialized():
        raise InputError(
            f"this is one of {jax.process_count()} hosts of a slice: set --hosts auto, and start "
            "the same command on all of them."
        )
    if is_primary():
        with claim_folder(folder):
            yield folder
    else:
        with TemporaryDirectory(prefix="maskjax-") as other:
            yield Path(other)


def check_same(contents: Mapping[str, bytes]) -> None:
    """Refuses hosts that were not given the same contents, which have names."""
    for name, content in contents.items():
        sums = _from_all(np.array(zlib.crc32(content), np.uint32))
        if (sums != sums[0]).any():
            different = ", ".join(str(process) for process in np.flatnonzero(sums != sums[0]))
            raise InputError(f"--hosts: process {different} has other {name} than process 0.")


def check_shared(folder: "epath.Path") -> None:
    """Refuses a folder that is another one on each host, in which no checkpoint would be whole."""
    if not is_multiprocess():
        return
    note = folder / f"shared-{multihost_utils.broadcast_one_to_all(_random_number())}"
    if is_primary():
        note.touch()
    with together():
        pass
    missing = _from_all(np.array(not note.exists()))
    if is_primary():
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
