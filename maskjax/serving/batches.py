"""Which of the rows that wait are run next. Pure functions; the clock is in the batcher."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from maskjax.inference import Answer, Prepared

SHORTEST = 16
"""The shortest length that sequences are padded to."""


class Waiting(NamedTuple):
    """A row that is accepted and not run yet.

    Attributes:
        row: The tokenised row.
        answer: What its request waits for; cancelled where nobody does any more.
        since: When it came, in seconds of the event loop.
    """

    row: "Prepared"
    answer: asyncio.Future[Answer]
    since: float


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

    Args:
        length: In tokens.

    Returns:
        At least `SHORTEST`.

    Example:
        >>> [bucket(length) for length in (1, 16, 17, 128)]
        [16, 16, 32, 128]
    """
    return max(SHORTEST, 1 << (length - 1).bit_length())


def padded_tokens(row: Prepared) -> int:
    """The tokens that a row is counted with, padding included.

    Args:
        row: A tokenised row, of one sequence or of several choices.

    Returns:
        Its sequences times their padded length.
    """
    return row.sequences * bucket(row.length)


def next_batch(waiting: Sequence[Waiting], budget: int) -> Batch:
    """Picks the rows that are run next.

    The oldest row is always among them, so that none waits for ever. With it go the rows of its
    task and length bucket, since they share the cost of decoding a mask; then those of the task
    and bucket whose oldest row is next, and so on.

    Args:
        waiting: Rows, the oldest first; at least one.
        budget: The most tokens; a row that has more by itself runs alone.

    Returns:
        The batch.
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
