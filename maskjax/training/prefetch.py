"""Batches on the device before the step asks for them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from maskjax.tasks import Batch


class PrefetchedBatch(NamedTuple):
    """A batch on the device."""

    batch: dict[str, jax.Array]  # its arrays
    rows: int  # how many rows it has, without those that only fill it up
    # Seconds that the loop stood still for it; at most so long the device had nothing to do.
    waited: float


def feed(
    batches: Iterator[Batch], put: Callable[[Batch], Any] = jax.device_put
) -> Iterator[PrefetchedBatch]:
    """Makes each batch, and puts it on the device, while the step before it runs.

    One thread stays one batch ahead, also while the loop waits for the device or evaluates. It
    starts no process, so nothing is forked after JAX has begun.

    Example:
        >>> batch = {"input_ids": np.ones((2, 4), np.int32), "weights": np.ones(2, np.float32)}
        >>> [fed.rows for fed in feed(iter([batch, batch]))]
        [2, 2]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as thread:
        upcoming = thread.submit(_fetch, batches, put)
        while True:
            start = time.perf_counter()
            fetched = upcoming.result()
            waited = time.perf_counter() - start
            if fetched is None:
                return
            upcoming = thread.submit(_fetch, batches, put)
            yield PrefetchedBatch(*fetched, waited)


def _fetch(batches: Iterator[Batch], put: Callable[[Batch], Any]) -> tuple[Any, int] | None:
    batch = next(batches, None)
    return None if batch is None else (put(batch), _count_rows(batch))


def _count_rows(batch: Batch) -> int:
    """Rows of a batch, without those that only fill it up; words have weights of their own."""
    weights = batch["weights"]
    of_words = weights.ndim == batch["input_ids"].ndim
    return int(np.count_nonzero(weights.any(axis=-1) if of_words else weights))
