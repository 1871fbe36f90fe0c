"""Rows that wait to be run, while tasks come, go and are replaced."""

from collections.abc import Sequence
from types import EllipsisType
from typing import NamedTuple

from maskjax.errors import InputError
from maskjax.inference.postprocess import Function
from maskjax.inference.preprocess import InputSpec, Reader, Row, TokenizedRow
from maskjax.inference.registry import RegisteredTask


class UnknownTaskError(InputError):
    """A task is asked for that is not there, or no longer of the kind that it was."""


class Prepared(NamedTuple):
    """A row that is ready to be run.

    Attributes:
        task: The name of its task; None for the base itself.
        length: Tokens of its longest sequence.
        sequences: 1, or the number of choices.
        asked: How the task read it.
        read: Its tokens.
        vector: Whether it is answered with a vector instead of labels.
        function: What makes scores of logits.
    """

    task: str | None
    length: int
    sequences: int
    asked: InputSpec
    read: TokenizedRow
    vector: bool = False
    function: Function = "softmax"

    def check_task(self, now: RegisteredTask | None) -> None:
        """Refuses a task that was replaced by one that reads other rows.

        Args:
            now: The task of this name; None for the base.

        Raises:
            UnknownTaskError: If this row has to be prepared again.
        """
        if now is not None and not self.vector and self.asked.form != now.asked.form:
            raise UnknownTaskError(
                f"task {self.task!r} was replaced by one that reads other rows; prepare this row "
                "again."
            )


def prepare_rows(
    reader: Reader,
    rows: Sequence[tuple[Row, str | None, InputSpec]],
    *,
    vector: bool = False,
    function: Function = "softmax",
) -> list[Prepared]:
    """Tokenizes rows."""
    reads = reader.read([(row, how) for row, _, how in rows])
    return [
        Prepared(name, read.length, len(read.tokens), how, read, vector, function)
        for (_, name, how), read in zip(rows, reads, strict=True)
    ]


def name_tasks(
    rows: int,
    task: str | EllipsisType | None,
    tasks: Sequence[str | None] | None,
    known: list[str],
) -> Sequence[str | None]:
    """Names the task of each row."""
    if tasks is not None:
        if len(tasks) != rows:
            raise InputError(f"tasks: expected one for each of {rows} inputs, got {len(tasks)}.")
        return tasks
    if isinstance(task, EllipsisType):
        if len(known) != 1:
            raise InputError(f"task: expected a name, for there are {len(known)} tasks.")
        return known * rows
    return [task] * rows
