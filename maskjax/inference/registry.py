"""Task files that belong to a base: read, verified, and read again later, unchanged."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from maskjax.config import config_from_dict, known_settings
from maskjax.errors import InputError
from maskjax.inference.compiled import CompiledModel, make_programs
from maskjax.inference.packed_task import Leaves, PackedTask, pack_task
from maskjax.inference.preprocess import InputSpec
from maskjax.inference.saved_run import task_of
from maskjax.masking import flatten_with_paths
from maskjax.models import EncoderConfig, TaskType, build_model, head_paths
from maskjax.places import expand_home
from maskjax.taskfile import (
    TASK_FILE,
    BaseDigests,
    TaskHeader,
    check_base,
    find_task_file,
    read_content,
    read_task_header,
)
from maskjax.tasks import Task

REMEDY = "start a predictor on the base it was learned on"


@dataclass(frozen=True, eq=False)
class RegisteredTask:
    """A task that was found to fit; each reading of a file is one of its own.

    Attributes:
        name: What it is called.
        path: Its file.
        checksum: The checksum of the file.
        task: Kind, labels, texts.
        asked: How its rows are read.
        programs: What runs it.
    """

    name: str
    path: Path
    checksum: str
    task: Task
    asked: InputSpec
    programs: CompiledModel


class Registry:
    """Reads task files for one base, whose digests are computed once."""

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
        self._digests = BaseDigests(leaves)
        self._dtype = dtype
        self._kernel = kernel
        self._offline = offline

    def open(self, place: str | Path, name: str | None = None) -> tuple[RegisteredTask, PackedTask]:
        """Reads a task and holds it against the base."""
        path = find_task_file(place, offline=self._offline)
        header = read_task_header(path)
        one = self._register(header, path, name or _name(place, path))
        self._check(header, one.programs)
        return one, pack_task(read_content(header), self._leaves, one.programs.model)

    def read(self, one: RegisteredTask) -> PackedTask:
        """Reads a task again."""
        header = read_task_header(one.path)
        if header.checksum != one.checksum:
            raise InputError(
                f"{one.path}: changed since it was added, and its task is no longer in memory; "
                "add it again."
            )
        return pack_task(read_content(header), self._leaves, one.programs.model)

    def _register(self, header: TaskHeader, path: Path, name: str) -> RegisteredTask:
        config = config_from_dict(known_settings(header.meta["config"]), str(path))
        task = task_of(header)
        if config.model.reinit:
            raise InputError(
                f"{path}: learned on a base with re-initialized {', '.join(config.model.reinit)} "
                "(model.reinit), which is another base; load it alone with load_predictor."
            )
        length, most = header.meta["tokenizer"]["max_length"], self._config.max_positions
        if not 3 <= length <= most:
            raise InputError(f"{path}: expected a max_length of 3 to {most} tokens, got {length}.")
        programs = make_programs(
            self._config, task.kind, task.num_outputs, self._dtype, kernel=self._kernel
        )
        asked = InputSpec(f"task {name!r}", task, length, config.task.word_piece)
        return RegisteredTask(name, path, header.checksum, task, asked, programs)

    def _check(self, header: TaskHeader, programs: CompiledModel) -> None:
        """Holds shapes and digests against the base, and the head against the model."""
        task = task_of(header)
        head = _head(self._config, task.num_outputs, task.kind)
        leaves = {**self._leaves, **head}
        check_base(header, leaves, programs.head, remedy=REMEDY, digests=self._digests)


@cache
def _head(config: EncoderConfig, outputs: int, kind: TaskType) -> dict[str, Any]:
    """Shapes of the leaves that the task must bring."""
    model = build_model(config, outputs, kind=kind)
    leaves = flatten_with_paths(model.abstract)
    return {path: leaves[path] for path in head_paths(model)}


def _name(place: str | Path, path: Path) -> str:
    """The run folder's name, the repository's, or the stem of the file."""
    if path.name != TASK_FILE:
        return path.stem
    return path.resolve().parent.name if expand_home(place).exists() else Path(place).name
