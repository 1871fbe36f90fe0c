"""Batches against their definition, on random queues."""

from types import SimpleNamespace

import numpy as np
import pytest

from maskjax.serving.batch_policy import WaitingRow, next_batch


def waiting_row(task, length, since, sequences=1):
    row = SimpleNamespace(task=task, padded_length=length, padded_tokens=sequences * length)
    return WaitingRow(row, None, float(since), float(since))


def queue(random, rows):
    return [
        waiting_row(
            str(random.integers(4)),
            int(random.choice([16, 32, 64, 128])),
            since,
            int(random.choice([1, 1, 1, 4])),
        )
        for since in range(rows)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_rows_run_once_and_in_order_per_task_and_length(seed):
    waiting = queue(np.random.default_rng(seed), rows=60)
    done = []
    while waiting:
        batch = next_batch(waiting, 400)
        assert waiting[0] in batch.rows  # the oldest, so none waits forever
        assert batch.tokens == sum(job.row.padded_tokens for job in batch.rows)
        assert batch.tokens <= 400 or len(batch.rows) == 1
        waiting = [job for job in waiting if job not in batch.rows]
        done += batch.rows
    assert sorted(job.since for job in done) == list(range(60))
    for task in "0123":
        for size in (16, 32, 64, 128):
            like = [d.since for d in done if (d.row.task, d.row.padded_length) == (task, size)]
            assert like == sorted(like)


def test_rows_of_one_task_share_a_batch():
    """Four of these six rows fit; two of the task that came third wait."""
    waiting = [waiting_row(task, 16, since) for since, task in enumerate("abcabc")]
    batch = next_batch(waiting, 64)
    assert [job.row.task for job in batch.rows] == ["a", "a", "b", "b"]
    assert batch.full


@pytest.mark.parametrize(("budget", "full"), [(47, True), (48, False), (32, True)])
def test_batch_is_full_when_no_row_fits(budget, full):
    assert next_batch([waiting_row("a", 16, 0)] * 2, budget).full is full


def test_lengths_share_a_batch_with_their_own_task_first():
    lengths = [128, 16, 128, 16]
    waiting = [
        waiting_row(task, length, since)
        for since, (task, length) in enumerate(zip("abba", lengths, strict=True))
    ]
    batch = next_batch(waiting, 1000)
    assert [(job.row.task, job.row.padded_length) for job in batch.rows] == [
        ("a", 128), ("b", 16), ("b", 128), ("a", 16)
    ]  # fmt: skip
    assert not batch.full
    assert next_batch(waiting, 280).full
