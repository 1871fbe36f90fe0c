"""The tasks of a base: their files are read, verified and packed, and later read again."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from maskjax.config import Config, ModelConfig
from maskjax.errors import InputError, suggest
from maskjax.folders import expand_home
from maskjax.inference.compiled import CompiledModel, Leaves, compile_model
from maskjax.inference.preprocess import InputForm, InputSpec, PreparedRow
from maskjax.masking import flatten_with_paths
from maskjax.masking.packed import pack_bit_planes
from maskjax.models import Base, EncoderConfig, TaskType, build_model, head_paths, unshare
from maskjax.taskfile import (
    TASK_FILE,
    BaseDigests,
    TaskFile,
    TaskHeader,
    check_base,
    find_task_file,
    read_content,
    read_task_header,
)
from maskjax.taskfile.meta import config_of, task_of
from maskjax.tasks import Task

REMEDY = "give that base (--base), or accept the other one (allow_base_mismatch)"


class UnknownTaskError(InputError):
    """A task that is asked for does not exist, or no longer reads rows of this form."""


class PackedTask(NamedTuple):
    """All that a task adds to its base; a pytree."""

    # Masks as `pack_bit_planes` packs them, of the matrices of the base that the task masks.
    bit_planes: Leaves
    # Leaves that replace those of the base or the model, float32: the head, trained biases,
    # finetuned matrices. Masks on them are applied already.
    own: Leaves

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return tree_bytes(self)


class FrozenBase(NamedTuple):
    """A base whose leaves are on the device."""

    config: EncoderConfig
    leaves: Leaves
    digests: BaseDigests  # computed once

    @classmethod
    def of(cls, base: Base) -> "FrozenBase":
        """Names the leaves of a base."""
        leaves = flatten_with_paths(base.params)
        return cls(base.config, leaves, BaseDigests(leaves))


@dataclass(frozen=True, eq=False)
class RegisteredTask:
    """A task that fits the base; each time that a file is opened it is another object."""

    name: str
    path: Path
    checksum: str  # of the file
    task: Task
    config: Config  # of the run that it comes from
    spec: InputSpec
    base: FrozenBase
    compiled: CompiledModel


class Registry:
    """The tasks of a base by name, and the reading of their files.

    Tasks may be read from any thread; the owner of the registry holds a lock where it changes them.
    """

    def __init__(
        self,
        base: Base,
        *,
        dtype: str,
        offline: bool,
        kernel: bool = False,
        allow_base_mismatch: bool = False,
    ) -> None:
        self._bases = {False: FrozenBase.of(base)}
        if base.config.sharing == "shared":
            self._bases[True] = FrozenBase.of(unshare(base))
        self._dtype = dtype
        self._kernel = kernel
        self._offline = offline
        self._allow_base_mismatch = allow_base_mismatch
        # Never changed but replaced by another dict, so that it can be read without a lock.
        self._tasks: dict[str, RegisteredTask] = {}

    @property
    def leaves(self) -> Leaves:
        """The leaves of the base under every path that a task can know them by."""
        return {path: leaf for base in self._bases.values() for path, leaf in base.leaves.items()}

    def __iter__(self) -> Iterator[RegisteredTask]:
        return iter(self._tasks.values())

    def __getitem__(self, name: str) -> RegisteredTask:
        tasks = self._tasks
        if name not in tasks:
            hint = suggest(name, list(tasks)) if tasks else "there are no tasks"
            raise UnknownTaskError(f"task {name!r} is not there; {hint}.")
        return tasks[name]

    def spec(self, name: str | None) -> InputSpec:
        """How the rows of a task are read; None for the base."""
        if name is None:
            return InputSpec(
                "the base", InputForm.of(None), self._bases[False].config.max_positions
            )
        return self[name].spec

    def only(self) -> RegisteredTask:
        """The only task."""
        tasks = list(self)
        if len(tasks) != 1:
            raise InputError(f"task: expected a name, for there are {len(tasks)} tasks.")
        return tasks[0]

    def current(self, row: PreparedRow) -> RegisteredTask | None:
        """The task that answers a row now; None for the base."""
        if row.task is None:
            return None
        task = self[row.task]
        if not row.vector and row.spec.form != task.spec.form:
            raise UnknownTaskError(
                f"task {row.task!r} was replaced by one that reads other rows; prepare this row "
                "again."
            )
        return task

    def put(self, task: RegisteredTask) -> RegisteredTask | None:
        """Adds a task, and returns the one of the same name that it replaces."""
        replaced = self._tasks.get(task.name)
        self._tasks = {**self._tasks, task.name: task}
        return replaced

    def remove(self, name: str) -> RegisteredTask:
        """Removes a task."""
        removed = self[name]
        self._tasks = {other: task for other, task in self._tasks.items() if other != name}
        return removed

    def open(self, place: str | Path, name: str | None = None) -> tuple[RegisteredTask, PackedTask]:
        """Reads a task and compares it with the base."""
        path = find_task_file(place, offline=self._offline)
        header = read_task_header(path)
        registered = self._register(header, path, name or _default_name(place, path))
        base = registered.base
        head = _head(base.config, registered.task.num_outputs, registered.task.kind)
        leaves = {**base.leaves, **head}
        check_base(
            header,
            leaves,
            tuple(head),
            allow_mismatch=self._allow_base_mismatch,
            remedy=_remedy(registered.config.model),
            digests=base.digests,
        )
        return registered, self._pack(registered, header)

    def read(self, registered: RegisteredTask) -> PackedTask:
        """Reads the file of a task again."""
        header = read_task_header(registered.path)
        if header.checksum != registered.checksum:
            raise InputError(
                f"{registered.path}: changed since it was added, and its task is no longer in "
                "memory; add it again."
            )
        return self._pack(registered, header)

    def _register(self, header: TaskHeader, path: Path, name: str) -> RegisteredTask:
        config, task = self._checked_config(header, path), task_of(header)
        base = self._bases[config.model.unshare]
        compiled = compile_model(
            base.config, task.kind, task.num_outputs, self._dtype, kernel=self._kernel
        )
        length = header.meta["tokenizer"]["max_length"]
        form, options = InputForm.of(task), config.task
        spec = InputSpec(f"task {name!r}", form, length, options.word_piece, options.stride)
        return RegisteredTask(name, path, header.checksum, task, config, spec, base, compiled)

    def _checked_config(self, header: TaskHeader, path: Path) -> Config:
        config = config_of(header, path)
        if config.model.unshare not in self._bases:
            raise InputError(
                f"{path}: learned for each application of a shared block (model.unshare), and this "
                "base has none; load the file on the base that it was learned on."
            )
        length = header.meta["tokenizer"]["max_length"]
        longest = self._bases[False].config.max_positions
        if not 3 <= length <= longest:
            raise InputError(
                f"{path}: expected a max_length of 3 to {longest} tokens, got {length}."
            )
        stride, kind = config.task.stride, header.meta["task"]["kind"]
        if stride is not None and (kind == "choice" or stride > length // 2):
            raise InputError(
                f"{path}: expected a stride of at most {length // 2} tokens, half of max_length, "
                f"and none for choice, got {stride} for {kind}."
            )
        return config

    def _pack(self, registered: RegisteredTask, header: TaskHeader) -> PackedTask:
        return pack_task(read_content(header), registered.base.leaves, registered.compiled)


def pack_task(file: TaskFile, base: Leaves, compiled: CompiledModel) -> PackedTask:
    """Packs the content of a file for a model."""
    shapes = flatten_with_paths(compiled.model.abstract)
    if unknown := sorted({path for path, _ in file.shapes()} - shapes.keys()):
        raise InputError(
            f"{file.name}: changes {', '.join(unknown[:3])}, which a model of the kind "
            f"{file.meta['task']['kind']} does not have."
        )
    delta = file.delta
    bit_planes = {
        path: pack_bit_planes(mask.unpack())
        for path, mask in file.masks.items()
        if path in compiled.maskable and len(delta.operations[path]) == 1
    }
    weights = {**base, **delta.weights}  # the base has no head; the task has all of it
    own = {
        path: delta.apply_to(path, np.asarray(weights[path], np.float32))
        for path in delta.operations.keys() - bit_planes.keys()
    }
    widened = {path: _widened(np.asarray(leaf), shapes[path].shape) for path, leaf in own.items()}
    return PackedTask(bit_planes, widened)


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays of a pytree."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _widened(leaf: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A leaf with zeros at its ends; only the head is narrower than that of the program."""
    return np.pad(leaf, [(0, wide - size) for wide, size in zip(shape, leaf.shape, strict=True)])


@cache
def _head(config: EncoderConfig, outputs: int, kind: TaskType) -> dict[str, Any]:
    """Shapes of the leaves that the task must have."""
    model = build_model(config, outputs, kind=kind)
    leaves = flatten_with_paths(model.abstract)
    return {path: leaves[path] for path in head_paths(model)}


def _remedy(model: ModelConfig) -> str:
    if not model.reinit:
        return REMEDY
    return f"its {', '.join(model.reinit)} are re-initialized (model.reinit): use load_predictor"


def _default_name(place: str | Path, path: Path) -> str:
    """The run folder's name, the repository's, or the stem of the file."""
    if path.name != TASK_FILE:
        return path.stem
    return path.resolve().parent.name if expand_home(place).exists() else Path(place).name
