"""Rows that wait to be run, while tasks come, go and are replaced."""

from typing import NamedTuple

from maskjax.errors import InputError
from maskjax.inference.reading import Asked, Read
from maskjax.inference.registered import Registered


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
    """

    task: str | None
    length: int
    sequences: int
    asked: Asked
    read: Read

    def check_task(self, now: Registered | None) -> None:
        """Refuses a task that was replaced by one that reads other rows.

        Args:
            now: The task of this name; None for the base.

        Raises:
            UnknownTaskError: If this row has to be prepared again.
        """
        if now is not None and self.asked.form != now.asked.form:
            raise UnknownTaskError(
                f"task {self.task!r} was replaced by one that reads other rows; prepare this row "
                "again."
            )
