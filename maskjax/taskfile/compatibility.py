"""Checks that a base is the one that a task was learned on, and that every leaf fits."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from maskjax.errors import InputError
from maskjax.taskfile.digest import BaseDigests, digest_all
from maskjax.taskfile.fields import list_problems, preview

REMEDY = "give the base it was learned on with --base, or accept with --allow-base-mismatch"


class HasDigests(Protocol):
    """A task with the digests of its base: a `TaskFile` or a `TaskHeader`."""

    @property
    def name(self) -> str:
        """The name in errors."""
        ...

    @property
    def meta(self) -> dict[str, Any]:
        """As in `TaskFile`."""
        ...

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the base's leaf below each mask and low-rank product, by path."""
        ...

    @property
    def digest_format(self) -> int:
        """How the digests were computed."""
        ...

    @property
    def replaced(self) -> frozenset[str]:
        """Paths of the leaves that the task replaces."""
        ...

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Path and shape of every leaf that is changed."""
        ...


def check_base(
    file: HasDigests,
    leaves: Mapping[str, Any],
    head: Iterable[str],
    *,
    allow_mismatch: bool = False,
    remedy: str = REMEDY,
    digests: BaseDigests | None = None,
) -> None:
    """Rejects a base that a task does not fit.

    Args:
        file: The task, or its header, so that nothing is decoded for another base.
        leaves: Leaves of the base and of a head of any values, by path.
        head: Paths of the head, all of which the task must replace.
        allow_mismatch: Accept other values; shapes must fit in any case.
        remedy: The end of the error about another base.
        digests: The digests of the base, if known, so that many tasks read it once.

    Raises:
        InputError: With every leaf that is missing, unknown or of another shape, or with the
            first one whose values differ.
    """
    head = set(head)
    problems = list_problems([*_misfits(file, leaves), *_missing_head(file, head)])
    if problems:
        raise InputError(f"{file.name} does not fit the base: {problems}.")
    if not allow_mismatch:
        base = {path: leaf for path, leaf in leaves.items() if path not in head}
        base_digests = BaseDigests(base) if digests is None else digests
        _check_values(file, base_digests.for_format(file.digest_format), remedy)


def _misfits(file: HasDigests, leaves: Mapping[str, Any]) -> Iterator[str]:
    for path, shape in file.shapes():
        expected = getattr(leaves.get(path), "shape", None)
        if expected is None:
            yield f"{preview(path)}: the base has no such leaf"
        elif tuple(expected) != shape:
            yield f"{path}: expected shape {tuple(expected)}, got {shape}"


def _missing_head(file: HasDigests, head: set[str]) -> Iterator[str]:
    for path in sorted(head - file.replaced):
        yield f"{path}: missing, and the head comes with the task"


def _check_values(file: HasDigests, digests: Mapping[str, str], remedy: str) -> None:
    name = preview(file.meta["base"]["name"])
    for path, expected in file.digests.items():
        if digests.get(path) != expected:
            raise InputError(
                f"{file.name}: learned on another base than this: {preview(path)} is not that of "
                f"{name}; {remedy}."
            )
    if digest_all(digests) != file.meta["base"]["digest"]:
        raise InputError(
            f"{file.name}: learned on another base than this: the masked tensors are those of "
            f"{name}, some other tensor is not; {remedy}."
        )
