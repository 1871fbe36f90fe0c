"""Which sequences run together: those of one task, in groups of few static shapes.

The lengths and row counts of groups come from short ladders, so the number of programs is bounded.
Each group of a task unmasks the base once, which takes as long as a few tokens, so it can be
cheaper to fill a group up than to run two.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from maskjax.tasks import Ragged
from maskjax.tasks.batching import pad_sequences

BUCKETS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Lengths of sequences, in tokens."""
ROWS = (1, 4, 16)
"""Sequences of a group."""
GROUP_TOKENS = 8192
"""The most tokens of a group of several sequences, those of 16 times 512: longer sequences gain
little by running together, and so there are fewer programs."""
UNMASKING = 20
"""Tokens in whose time a base is unmasked: 3 ms of 23 for 128 tokens, MiniLM on two CPU cores."""


class Tokens(NamedTuple):
    """A sequence, which goes through the encoder; two arrays `[tokens]` int32."""

    input_ids: np.ndarray
    token_type_ids: np.ndarray


class Group(NamedTuple):
    """Sequences with one key that run together."""

    key: Any
    length: int  # tokens that each sequence is padded to
    rows: int  # includes the sequences that only fill the group up
    members: tuple[int, ...]  # numbers of the sequences


def model_buckets(longest: int, buckets: Sequence[int] = BUCKETS) -> tuple[int, ...]:
    """The lengths that a model with this many positions can run, its longest included."""
    return (*(length for length in buckets if length < longest), longest)


def bucket_length(length: int, buckets: Sequence[int] = BUCKETS) -> int:
    """The length that a sequence is padded to.

    Example:
        >>> [bucket_length(length) for length in (1, 16, 17, 128)]
        [16, 16, 32, 128]
    """
    return buckets[bisect_left(buckets, length)]


def rows_of(length: int, rows: tuple[int, ...] = ROWS) -> tuple[int, ...]:
    """The sizes of groups of this length.

    Example:
        >>> [rows_of(length) for length in (512, 1024, 8192)]
        [(1, 4, 16), (1, 4), (1,)]
    """
    return tuple(size for size in rows if size * length <= GROUP_TOKENS) or rows[:1]


def plan_groups(
    keys: Sequence[Hashable],
    lengths: Sequence[int],
    *,
    buckets: Sequence[int] = BUCKETS,
    rows: tuple[int, ...] = ROWS,
) -> list[Group]:
    """Groups sequences, those with equal keys next to each other.

    Example:
        >>> [group[1:] for group in plan_groups(["a", "b", "a"], [9, 9, 20])]
        [(16, 1, (0,)), (32, 1, (2,)), (16, 1, (1,))]
    """
    numbers: dict[Hashable, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, (key, length) in enumerate(zip(keys, lengths, strict=True)):
        numbers[key][bucket_length(length, buckets)].append(number)
    return [
        group
        for key, by_length in numbers.items()
        for length, members in by_length.items()
        for group in _split_members(key, length, members, rows)
    ]


def _split_members(
    key: Hashable, length: int, members: list[int], rows: tuple[int, ...]
) -> list[Group]:
    groups, start = [], 0
    for size in split_rows(len(members), length, rows):
        groups.append(Group(key, length, size, tuple(members[start : start + size])))
        start += size
    return groups


def split_rows(count: int, length: int, rows: tuple[int, ...] = ROWS) -> tuple[int, ...]:
    """The cheapest sizes of groups that hold this many sequences.

    Example:
        >>> split_rows(3, 128), split_rows(3, 16), split_rows(35, 16)
        ((1, 1, 1), (4,), (16, 16, 4))
    """
    rows = rows_of(length, rows)
    full, rest = divmod(count, rows[-1])
    return (rows[-1],) * full + _cheapest(rest, length, rows)[1]


@cache
def _cheapest(count: int, length: int, rows: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The cost in tokens, and the sizes."""
    if count == 0:
        return 0, ()
    options = []
    for size in rows:
        cost, sizes = _cheapest(max(count - size, 0), length, rows)
        options.append((UNMASKING + size * length + cost, (size, *sizes)))
    return min(options, key=lambda option: (option[0], -option[1][0]))


def collate(group: Group, sequences: Sequence[Tokens], pad_id: int) -> dict[str, np.ndarray]:
    """The inputs of a group; members are repeated to fill it up."""
    ids, types = zip(*(sequences[number] for number in group.members), strict=True)
    rows = np.resize(np.arange(len(group.members)), group.rows)
    tokens = Ragged.from_rows(ids), Ragged.from_rows(types)
    return pad_sequences(*tokens, rows, length=group.length, pad_id=pad_id)
