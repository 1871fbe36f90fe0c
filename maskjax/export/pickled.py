"""A safe reader of pickles: no name is imported, and nothing is called.

Python's own unpickler makes objects by importing functions and calling them. Here the same
instructions only handle plain data: a name becomes a `Global`, and a call is recorded as a `Call`.
Dicts, lists, tuples, numbers and strings are restored.
"""

import pickletools
from typing import IO, Any, NamedTuple, Protocol, cast

from maskjax.errors import InputError, printable
from maskjax.export.pickle_machine import Machine

MAX_OPERATIONS = 500_000
"""The maximum number of instructions of a pickle; BERT-large with its optimizer has some 50,000."""


class Stream(Protocol):
    """A stream of bytes whose `read` never allocates more than the remaining ones."""

    def read(self, count: int, /) -> bytes:
        """Reads `count` bytes, or the rest."""
        ...

    def readline(self) -> bytes:
        """Reads a line."""
        ...

    def tell(self) -> int:
        """The current position."""
        ...


class Pickle(NamedTuple):
    """The content of a pickle."""

    content: Any  # the object
    references: list[Any]  # all `Persistent` ids in it


def read_pickle(stream: Stream) -> Pickle:
    """Reads one pickle."""
    machine = Machine()
    instructions = pickletools.genops(cast(IO[bytes], stream))  # uses only the methods of Stream
    try:
        for count, (opcode, argument, _) in enumerate(instructions):
            if count == MAX_OPERATIONS:
                raise InputError(f"its pickle has more than {MAX_OPERATIONS:,} instructions")
            machine.execute(opcode.name, argument)
    except ValueError as error:
        raise InputError(f"its pickle is damaged ({printable(str(error))})") from error
    return Pickle(machine.pop(), machine.references)
