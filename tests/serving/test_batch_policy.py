"""Batches against their definition, on random queues."""

from types import SimpleNamespace

import numpy as np
import pytest

from maskjax.serving.batch_policy import Waiting, bucket, next_batch, padded_tokens


def queue(random, rows):
    return [
        Waiting(
            SimpleNamespace(
                task=str(random.integers(4)),
                length=int(random.integers(1, 129)),
                sequences=int(random.choice([1, 1, 1, 4])),
            ),
            None,
            *[float(since)] * 2,
        )
        for since in range(rows)
    ]


def test_lengths_are_padded_to_powers_of_two():
    for length in range(1, 513):
        assert bucket(length) == next(
            size for size in (16, 32, 64, 128, 256, 512) if size >= length
        )


@pytest.mark.parametrize("seed", range(20))
def test_rows_run_once_and_in_order_per_task_and_length(seed):
    waiting = queue(np.random.default_rng(seed), rows=60)
    done = []
    while waiting:
        batch = next_batch(waiting, 400)
        assert waiting[0] in batch.rows  # the oldest, so none waits forever
        assert batch.tokens == sum(padded_tokens(one.row) for one in batch.rows)
        assert batch.tokens <= 400 or len(batch.rows) == 1
        waiting = [one for one in waiting if one not in batch.rows]
        done += batch.rows
    assert sorted(one.since for one in done) == list(range(60))
    for task in "0123":
        for size in (16, 32, 64, 128):
            like = [o.since for o in done if o.row.task == task and bucket(o.row.length) == size]
            assert like == sorted(like)


def test_rows_of_one_task_share_a_batch():
    """Four of these six rows fit; two of the task that came third wait."""
    tasks = "abcabc"
    waiting = [
        Waiting(SimpleNamespace(task=task, length=16, sequences=1), None, since, since)
        for since, task in enumerate(tasks)
    ]
    batch = next_batch(waiting, 64)
    assert [one.row.task for one in batch.rows] == ["a", "a", "b", "b"]
    assert batch.full


@pytest.mark.parametrize(("budget", "full"), [(47, True), (48, False), (32, True)])
def test_batch_is_full_when_no_row_fits(budget, full):
    row = SimpleNamespace(task="a", length=9, sequences=1)
    assert next_batch([Waiting(row, None, 0.0, 0.0)] * 2, budget).full is full


def test_lengths_share_a_batch_with_their_own_task_first():
    lengths = [100, 9, 100, 9]
    waiting = [
        Waiting(SimpleNamespace(task=task, length=length, sequences=1), None, since, since)
        for since, (task, length) in enumerate(zip("abba", lengths, strict=True))
    ]
    batch = next_batch(waiting, 1000)
    assert [(one.row.task, one.row.length) for one in batch.rows] == [
        ("a", 100), ("b", 9), ("b", 100), ("a", 9)
    ]  # fmt: skip
    assert not batch.full
    assert next_batch(waiting, 280).full
