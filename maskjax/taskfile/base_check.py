"""Is this the base that the task was learned on, and does every leaf fit it?"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from maskjax.errors import InputError
from maskjax.taskfile.digest import digest_all, digest_leaves
from maskjax.taskfile.taskfile import TaskFile

REMEDY = "give the base it was learned on with --base, or accept with --allow-base-mismatch"


def check_base(
    file: TaskFile,
    leaves: Mapping[str, np.ndarray],
    head: Iterable[str],
    *,
    allow_mismatch: bool = False,
    remedy: str = REMEDY,
    digests: Mapping[str, str] | None = None,
) -> None:
    """Refuses a base that a task does not fit.

    Args:
        file: The task.
        leaves: Leaves of the base and of a head of any values, by path.
        head: Paths of the head, all of which the task must bring.
        allow_mismatch: Accept other values; shapes must fit in any case.
        remedy: What to do about another base.
        digests: Of the base's leaves, where they are known: one base is then read but once for
            many tasks.

    Raises:
        InputError: With every leaf that is missing, unknown or of another shape, or with the
            first one whose values differ.
    """
    head = set(head)
    problems = [*_misfits(file, leaves), *_missing_head(file, head)]
    if problems:
        raise InputError(f"{file.name} does not fit the base: {'; '.join(problems)}.")
    if not allow_mismatch:
        base = {path: leaf for path, leaf in leaves.items() if path not in head}
        _check_values(file, digest_leaves(base) if digests is None else digests, remedy)


def _misfits(file: TaskFile, leaves: Mapping[str, np.ndarray]) -> Iterator[str]:
    for path, shape in file.shapes():
        if path not in leaves:
            yield f"{path}: the base has no such leaf"
        elif tuple(leaves[path].shape) != shape:
            yield f"{path}: expected shape {tuple(leaves[path].shape)}, got {shape}"


def _missing_head(file: TaskFile, head: set[str]) -> Iterator[str]:
    for path in sorted(head - file.arrays.get("weight", {}).keys()):
        yield f"{path}: missing, and the head comes with the task"


def _check_values(file: TaskFile, digests: Mapping[str, str], remedy: str) -> None:
    name = file.meta["base"]["name"]
    for path, expected in file.digests.items():
        if digests.get(path) != expected:
            raise InputError(
                f"{file.name}: learned on another base than this: {path} is not that of {name}; "
                f"{remedy}."
            )
    if digest_all(digests) != file.meta["base"]["digest"]:
        raise InputError(
            f"{file.name}: learned on another base than this: the masked tensors are those of "
            f"{name}, some other tensor is not; {remedy}."
        )
