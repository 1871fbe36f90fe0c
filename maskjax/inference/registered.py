"""Task files that belong to a base: read, verified, and read again later, unchanged."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from maskjax.config import config_from_dict
from maskjax.errors import InputError
from maskjax.inference.bank import Leaves, PackedTask, pack_task
from maskjax.inference.predictor import task_of
from maskjax.inference.programs import Programs, make_programs
from maskjax.inference.reading import Asked
from maskjax.masking import leaves_by_path
from maskjax.models import EncoderConfig, Kind, build_model, head_paths
from maskjax.taskfile import TASK_FILE, TaskFile, check_base, find_task_file, read_task_file
from maskjax.taskfile.digest import digest_leaves
from maskjax.tasks import Task

REMEDY = "start a predictor on the base it was learned on"


@dataclass(frozen=True, eq=False)
class Registered:
    """A task that was found to fit; each reading of a file is one of its own.

    Attributes:
        name: What it is called.
        path: Its file.
        checksum: Of the file.
        task: Kind, labels, texts.
        asked: How its rows are read.
        programs: What runs it.
    """

    name: str
    path: Path
    checksum: str
    task: Task
    asked: Asked
    programs: Programs


class Registry:
    """Reads task files for one base, whose digests are computed once.

    Args:
        config: The shape of the base.
        leaves: Its weights, by path.
        dtype: Of activations and products.
        offline: Never ask the network.
        kernel: Multiply by the kernel for TPUs.
    """

    def __init__(
        self,
        config: EncoderConfig,
        leaves: Leaves,
        *,
        dtype: str,
        offline: bool,
        kernel: bool = False,
    ) -> None:
        self._config = config
        self._leaves = leaves
        self._digests = digest_leaves({path: np.asarray(leaf) for path, leaf in leaves.items()})
        self._dtype = dtype
        self._kernel = kernel
        self._offline = offline

    def open(self, place: str | Path, name: str | None = None) -> tuple[Registered, PackedTask]:
        """Reads a task and holds it against the base.

        Args:
            place: A task file, a run folder, or the Hub id of a published task.
            name: What it is called; None for the stem of the file, or the run folder's name.

        Returns:
            The task and what it holds.

        Raises:
            InputError: If it cannot be read or does not fit.
        """
        path = find_task_file(place, offline=self._offline)
        payload = _payload(path)
        file = read_task_file(payload, str(path))
        one = self._register(file, path, name or _name(place, path), _checksum(payload))
        self._check(file, one.programs)
        return one, pack_task(file, self._leaves, one.programs.model)

    def read(self, one: Registered) -> PackedTask:
        """Reads a task again.

        Args:
            one: From `open`.

        Returns:
            What it holds.

        Raises:
            InputError: If its file is gone or is not the one that was opened.
        """
        payload = _payload(one.path)
        if _checksum(payload) != one.checksum:
            raise InputError(
                f"{one.path}: changed since it was added, and its task is no longer in memory; "
                "add it again."
            )
        return pack_task(read_task_file(payload, str(one.path)), self._leaves, one.programs.model)

    def _register(self, file: TaskFile, path: Path, name: str, checksum: str) -> Registered:
        config, task = config_from_dict(file.meta["config"], str(path)), task_of(file)
        if config.model.reinit:
            raise InputError(
                f"{path}: learned on a base of which {', '.join(config.model.reinit)} were drawn "
                "anew (model.reinit), which is another base; load it alone with load_predictor."
            )
        length, most = file.meta["tokenizer"]["max_length"], self._config.max_positions
        if not 3 <= length <= most:
            raise InputError(f"{path}: expected a max_length of 3 to {most} tokens, got {length}.")
        programs = make_programs(
            self._config, task.kind, task.num_outputs, self._dtype, kernel=self._kernel
        )
        asked = Asked(f"task {name!r}", task, length, config.task.word_piece)
        return Registered(name, path, checksum, task, asked, programs)

    def _check(self, file: TaskFile, programs: Programs) -> None:
        """Holds shapes and digests against the base, and the head against the model."""
        task = task_of(file)
        head = _head(self._config, task.num_outputs, task.kind)
        leaves = {**self._leaves, **head}
        check_base(file, leaves, programs.head, remedy=REMEDY, digests=self._digests)


@cache
def _head(config: EncoderConfig, outputs: int, kind: Kind) -> dict[str, Any]:
    """Shapes of the leaves that the task must bring."""
    model = build_model(config, outputs, kind=kind)
    leaves = leaves_by_path(model.abstract)
    return {path: leaves[path] for path in head_paths(model)}


def _payload(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; add the task again."
        ) from error


def _checksum(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _name(place: str | Path, path: Path) -> str:
    """The run folder's name, the repository's, or the stem of the file."""
    if path.name != TASK_FILE:
        return path.stem
    return path.resolve().parent.name if Path(place).expanduser().exists() else Path(place).name
