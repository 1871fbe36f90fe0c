"""Batches reach the device one ahead and in order; rows are tokenized once."""

import os
import threading
from dataclasses import replace

import jax
import numpy as np
import pytest

from maskjax.tasks import cache
from maskjax.training import prepare
from maskjax.training.prefetch import feed


def batch(number: int, weights=(1, 1, 0)) -> dict[str, np.ndarray]:
    return {"input_ids": np.full((3, 4), number, np.int32), "weights": np.float32(weights)}


def test_batches_come_in_order_and_on_the_device():
    fed = list(feed(batch(number) for number in range(5)))
    assert [int(one.batch["input_ids"][0, 0]) for one in fed] == list(range(5))
    assert all(isinstance(leaf, jax.Array) for one in fed for leaf in jax.tree.leaves(one.batch))
    assert [one.rows for one in fed] == [2] * 5


def test_rows_are_counted_and_not_words():
    weights = [[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert [one.rows for one in feed(iter([batch(0, weights)]))] == [2]


def test_next_batch_is_made_while_the_step_runs():
    made = [threading.Event() for _ in range(3)]

    def source():
        for number, event in enumerate(made):
            event.set()
            yield batch(number)

    batches = feed(source())
    next(batches)
    assert made[1].wait(timeout=10)  # nobody has asked for it
    assert not made[2].is_set()  # memory for one
    batches.close()


def test_waiting_time_is_measured():
    asked = threading.Event()

    def source():
        yield batch(0)
        asked.wait(timeout=0.2)
        yield batch(1)

    waited = [one.waited for one in feed(source())]
    assert 0.1 < waited[1] < 10


def test_error_of_the_source_is_raised_after_its_batches():
    def source():
        yield batch(0)
        raise OSError("the disk is gone")

    batches = feed(source())
    next(batches)
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_rows_are_tokenized_once_unless_cache_is_off(toy_config, monkeypatch, tmp_path):
    monkeypatch.setenv("MASKJAX_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "fork", None)  # threads do the work
    config = toy_config()
    without = prepare(replace(config, task=replace(config.task, cache=False)))
    assert not (tmp_path / "tokens").exists()
    prepare(config)
    monkeypatch.setattr(cache, "encode", None)
    again = prepare(config)
    assert again.data.notes == ()
    for split, encoded in without.encoded.items():
        np.testing.assert_array_equal(
            again.encoded[split].input_ids.values, encoded.input_ids.values
        )
    (tmp_path / "tokens").rename(tmp_path / "elsewhere")
    with pytest.raises(TypeError):
        prepare(config)


def test_damaged_entries_are_notes_of_the_run(toy_config, monkeypatch, tmp_path):
    monkeypatch.setenv("MASKJAX_CACHE", str(tmp_path))
    prepare(toy_config())
    for path in (tmp_path / "tokens").iterdir():
        path.write_bytes(b"?")
    notes = prepare(toy_config()).data.notes
    assert len(notes) == 3
    assert all("damaged" in note for note in notes)
