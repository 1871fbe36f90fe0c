"""Which of the waiting rows run next. Pure functions; the clock is in the batcher."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from maskjax.inference import Answer, InputRow, PreparedRow
from maskjax.inference.batching import BUCKETS

SHORTEST = BUCKETS[0]
"""The shortest length that sequences are padded to."""
PART = 16384
"""Characters that are tokenized in one call: about 50 ms at most."""


class WaitingRow(NamedTuple):
    """A row that is accepted and not run yet."""

    row: PreparedRow
    answer: asyncio.Future[Answer]  # its request waits for it, or is cancelled
    since: float  # arrival, in seconds of the event loop
    turn: float  # from `take_turns`; earlier turns run first


class Batch(NamedTuple):
    """Rows to be run together, at least one."""

    rows: list[WaitingRow]
    tokens: int  # with padding
    full: bool  # whether a waiting row, or the shortest possible one, would not fit


def split_rows(rows: Sequence[InputRow]) -> Iterator[list[InputRow]]:
    """Splits the rows of a request into parts that take a short time to tokenize.

    Example:
        >>> [len(part) for part in split_rows(["a" * 9000, "b", "c" * 9000, ("d", "e")])]
        [2, 2]
    """
    part: list[InputRow] = []
    size = 0
    for row in rows:
        length = len(row) if isinstance(row, str) else sum(map(len, row))
        if part and size + length > PART:
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def take_turns(rows: Sequence[PreparedRow], clock: float) -> list[float]:
    """Gives the rows of a request their turns, as fair queueing does.

    A row's turn is later by the tokens of its request before it. So a request of one row need not
    wait for all rows of a long one; and since the clock advances, a long one does not wait for all
    short ones that arrive after it either.

    Example:
        >>> from types import SimpleNamespace
        >>> take_turns([SimpleNamespace(padded_tokens=tokens) for tokens in (16, 32, 16)], 7.0)
        [7.0, 23.0, 55.0]
    """
    before = accumulate((row.padded_tokens for row in rows), initial=0)
    return [clock + tokens for tokens, _ in zip(before, rows, strict=False)]


def next_batch(waiting: Sequence[WaitingRow], budget: int) -> Batch:
    """Picks the rows that run next.

    The first row is always among them, so that each has its turn. The rows of its task and length
    run with it, since they share the cost of decoding a mask; then those of the task and length
    whose first row is next, and so on.
    """
    groups: dict[tuple[str | None, int], list[WaitingRow]] = {}
    for job in waiting:
        groups.setdefault((job.row.task, job.row.padded_length), []).append(job)
    chosen: list[WaitingRow] = []
    tokens = 0
    for job in (job for jobs in groups.values() for job in jobs):
        more = job.row.padded_tokens
        if chosen and tokens + more > budget:
            return Batch(chosen, tokens, full=True)
        chosen.append(job)
        tokens += more
    return Batch(chosen, tokens, full=tokens + SHORTEST > budget)
