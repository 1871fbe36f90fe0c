"""Groups hold every sequence once and little padding."""

import itertools

import numpy as np
import pytest

from maskjax.inference.batching import (
    BUCKETS,
    GROUP_TOKENS,
    ROWS,
    UNMASKING,
    Tokens,
    collate,
    model_buckets,
    plan_groups,
    rows_of,
    split_rows,
)


def test_every_sequence_is_in_one_group_of_its_task():
    random = np.random.default_rng(0)
    keys = random.integers(0, 5, 200).tolist()
    lengths = random.integers(1, 65, 200).tolist()
    ids = [np.full(length, number + 1, np.int32) for number, length in enumerate(lengths)]
    tokens = [Tokens(sequence, np.zeros_like(sequence)) for sequence in ids]
    groups = plan_groups(keys, lengths, buckets=(16, 32, 64), rows=(1, 4, 16))
    assert sorted(n for group in groups for n in group.members) == list(range(200))
    for group in groups:
        assert {keys[n] for n in group.members} == {group.key}
        longest = max(lengths[number] for number in group.members)
        assert group.length == (16 if longest <= 16 else 32 if longest <= 32 else 64)
        inputs = collate(group, tokens, 0)
        assert inputs["input_ids"].shape == (group.rows, group.length)
        for row, number in enumerate(group.members):
            ids_of_row = inputs["input_ids"][row]
            assert (ids_of_row[ids_of_row > 0] == number + 1).all()
            assert (ids_of_row > 0).sum() == inputs["attention_mask"][row].sum() == lengths[number]
    assert [group.key for group in groups] == sorted(
        (group.key for group in groups), key=[group.key for group in groups].index
    )


@pytest.mark.parametrize("length", [16, 64, 512])
def test_split_is_the_cheapest_and_pads_less_than_twice(length):
    rows = (1, 4, 16)
    for count in range(1, 60):
        sizes = split_rows(count, length)
        assert count <= sum(sizes) <= 2 * count
        assert sum(sizes[:-1]) < count
        if count <= 16:
            counts = itertools.product(range(17), range(5), range(2))
            enough = [c for c in counts if np.dot(c, rows) >= count]
            cheapest = min(sum(c) * UNMASKING + np.dot(c, rows) * length for c in enough)
            assert len(sizes) * UNMASKING + sum(sizes) * length == cheapest


def test_long_sequences_are_padded_to_twice_their_length_at_most_and_run_in_small_groups():
    buckets = model_buckets(8192)
    lengths = np.random.default_rng(0).integers(20, 8193, 300).tolist()
    groups = plan_groups([0] * 300, lengths, buckets=buckets)
    assert sum(len(group.members) for group in groups) == 300
    for group in groups:
        assert group.length < 2 * max(lengths[number] for number in group.members)
        assert group.length * group.rows <= GROUP_TOKENS
    programs = [(length, rows) for length in buckets for rows in rows_of(length)]
    assert {(group.length, group.rows) for group in groups} <= set(programs)
    assert len(programs) == 24
    # Encoders of 512 tokens have the programs that they had.
    short = model_buckets(512)
    assert [(n, rows) for n in short for rows in rows_of(n)] == [
        (n, rows) for n in BUCKETS[:6] for rows in ROWS
    ]
