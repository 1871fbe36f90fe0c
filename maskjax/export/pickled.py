"""What a pickle says, without doing it: no name is imported, and nothing is called.

Python's own unpickler makes objects by importing functions and calling them. Here the same
instructions only move plain data about: a name becomes a `Global`, and what would be a call is
recorded as a `Call`. Dicts, lists, tuples, numbers and texts are as they were.
"""

import pickletools
from typing import IO, Any, NamedTuple, Protocol, cast

from maskjax.errors import InputError, printable
from maskjax.export.pickle_machine import Machine

MAX_OPERATIONS = 500_000
"""Instructions of one pickle. BERT-large with the state of its optimizer has some 50,000."""


class Stream(Protocol):
    """Bytes to read; `read` never allocates more than is left of them."""

    def read(self, count: int, /) -> bytes:
        """Reads so many bytes, or what is left."""
        ...

    def readline(self) -> bytes:
        """Reads a line."""
        ...

    def tell(self) -> int:
        """Says where it stands."""
        ...


class Pickle(NamedTuple):
    """What a pickle says.

    Attributes:
        content: The object.
        references: All `Persistent` ids in it.
    """

    content: Any
    references: list[Any]


def read_pickle(stream: Stream) -> Pickle:
    """Reads one pickle."""
    machine = Machine()
    instructions = pickletools.genops(cast(IO[bytes], stream))  # it uses no more than a Stream has
    try:
        for count, (opcode, argument, _) in enumerate(instructions):
            if count == MAX_OPERATIONS:
                raise InputError(f"its pickle has more than {MAX_OPERATIONS:,} instructions")
            machine.do(opcode.name, argument)
    except ValueError as error:
        raise InputError(f"its pickle is damaged ({printable(str(error))})") from error
    return Pickle(machine.pop(), machine.references)
