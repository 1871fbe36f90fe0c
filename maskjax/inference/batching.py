"""Which sequences run together: those of one task, in groups of few static shapes.

Lengths and rows of a group come from short ladders, so that the number of programs is bounded. A
group of a task unmasks the base once, which costs as much as some tokens do, so that it can be
cheaper to fill a group up than to run two.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

BUCKETS = (16, 32, 64, 128, 256, 512)
"""Lengths of sequences, in tokens."""
ROWS = (1, 4, 16)
"""Sequences of a group."""
UNMASKING = 20
"""Tokens in whose time a base is unmasked: 3 ms of 23 for 128 tokens, MiniLM on two CPU cores."""


class Group(NamedTuple):
    """Sequences of one task that run together.

    Attributes:
        key: The task.
        length: Tokens that each is padded to.
        rows: Rows that there are with those that only fill the group up.
        members: Numbers of the sequences.
    """

    key: Any
    length: int
    rows: int
    members: tuple[int, ...]


class Tokens(NamedTuple):
    """What goes through the encoder.

    Attributes:
        input_ids: [tokens] int32.
        token_type_ids: [tokens] int32.
    """

    input_ids: np.ndarray
    token_type_ids: np.ndarray


def plan_groups(
    keys: Sequence[Hashable],
    lengths: Sequence[int],
    *,
    buckets: Sequence[int] = BUCKETS,
    rows: tuple[int, ...] = ROWS,
) -> list[Group]:
    """Groups sequences, those of a task next to each other.

    Example:
        >>> [group[1:] for group in plan_groups(["a", "b", "a"], [9, 9, 20])]
        [(16, 1, (0,)), (32, 1, (2,)), (16, 1, (1,))]
    """
    waiting: dict[Hashable, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, (key, place) in enumerate(
        zip(keys, np.searchsorted(buckets, lengths), strict=True)
    ):
        waiting[key][buckets[place]].append(number)
    groups = []
    for key, by_length in waiting.items():
        for length, numbers in by_length.items():
            start = 0
            for size in split_rows(len(numbers), length, rows):
                groups.append(Group(key, length, size, tuple(numbers[start : start + size])))
                start += size
    return groups


def split_rows(count: int, length: int, rows: tuple[int, ...] = ROWS) -> tuple[int, ...]:
    """The cheapest sizes of groups that hold so many sequences.

    Example:
        >>> split_rows(3, 128), split_rows(3, 16), split_rows(35, 16)
        ((1, 1, 1), (4,), (16, 16, 4))
    """
    full, rest = divmod(count, rows[-1])
    return (rows[-1],) * full + _cheapest(rest, length, rows)[1]


@cache
def _cheapest(count: int, length: int, rows: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Tokens' time and sizes."""
    if count == 0:
        return 0, ()
    options = []
    for size in rows:
        cost, sizes = _cheapest(max(count - size, 0), length, rows)
        options.append((UNMASKING + size * length + cost, (size, *sizes)))
    return min(options, key=lambda option: (option[0], -option[1][0]))


def collate(group: Group, sequences: Sequence[Tokens], pad_id: int) -> dict[str, np.ndarray]:
    """Makes the arrays of a group."""
    shape = (group.rows, group.length)
    inputs = {
        "input_ids": np.full(shape, pad_id, np.int32),
        "attention_mask": np.zeros(shape, np.int32),
        "token_type_ids": np.zeros(shape, np.int32),
    }
    for row, number in enumerate(np.resize(group.members, group.rows)):
        ids, types = sequences[number]
        inputs["input_ids"][row, : len(ids)] = ids
        inputs["attention_mask"][row, : len(ids)] = 1
        inputs["token_type_ids"][row, : len(ids)] = types
    return inputs
