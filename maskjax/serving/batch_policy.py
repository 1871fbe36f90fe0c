"""Which of the rows that wait are run next. Pure functions; the clock is in the batcher."""

import asyncio
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from maskjax.inference import Answer, Prepared

SHORTEST = 16
"""The shortest length that sequences are padded to."""


class Waiting(NamedTuple):
    """A row that is accepted and not run yet.

    Attributes:
        row: The tokenized row.
        answer: What its request waits for; cancelled where its client has gone.
        since: When it came, in seconds of the event loop.
        turn: Rows with an earlier turn go first, from `take_turns`.
    """

    row: "Prepared"
    answer: asyncio.Future[Answer]
    since: float
    turn: float


class Batch(NamedTuple):
    """Rows to be run together.

    Attributes:
        rows: At least one.
        tokens: Theirs, with padding.
        full: Whether a row that waits, or the shortest there can be, would find no place in it.
    """

    rows: list[Waiting]
    tokens: int
    full: bool


def bucket(length: int) -> int:
    """The length that a sequence is counted with: the next power of two.

    Example:
        >>> [bucket(length) for length in (1, 16, 17, 128)]
        [16, 16, 32, 128]
    """
    return max(SHORTEST, 1 << (length - 1).bit_length())


def padded_tokens(row: Prepared) -> int:
    """The tokens that a row is counted with, padding included."""
    return row.sequences * bucket(row.length)


def take_turns(rows: Sequence[Prepared], clock: float) -> list[float]:
    """Gives the rows of a request their turns, as fair queueing does.

    A row's turn is later by the tokens of its request before it. So a request of one row need not
    wait for all of a long one; and since the clock moves on, a long one does not wait for all
    short ones that come after it either.

    Example:
        >>> from types import SimpleNamespace
        >>> take_turns([SimpleNamespace(sequences=1, length=length) for length in (9, 20, 5)], 7.0)
        [7.0, 23.0, 55.0]
    """
    before = accumulate(map(padded_tokens, rows), initial=0)
    return [clock + tokens for tokens, _ in zip(before, rows, strict=False)]


def next_batch(waiting: Sequence[Waiting], budget: int) -> Batch:
    """Picks the rows that are run next.

    The first row is always among them, so that each has its turn. With it go the rows of its
    task and length bucket, since they share the cost of decoding a mask; then those of the task
    and bucket whose first row is next, and so on.
    """
    alike: dict[tuple[str | None, int], list[Waiting]] = {}
    for one in waiting:
        alike.setdefault((one.row.task, bucket(one.row.length)), []).append(one)
    chosen: list[Waiting] = []
    tokens = 0
    for one in (one for rows in alike.values() for one in rows):
        more = padded_tokens(one.row)
        if chosen and tokens + more > budget:
            return Batch(chosen, tokens, full=True)
        chosen.append(one)
        tokens += more
    return Batch(chosen, tokens, full=tokens + SHORTEST > budget)
