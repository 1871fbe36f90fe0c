"""Batches across requests and tasks: rows in, answers out, one batch on the model at a time.

Everything but the model runs on the event loop, so that nothing here needs a lock.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from starlette.exceptions import HTTPException

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.inference import Answer, Predictor, PreparedRow
from maskjax.serving.batch_policy import Batch, WaitingRow, next_batch, take_turns
from maskjax.serving.metrics import Metrics

log = logging.getLogger("maskjax.serving")
LONGEST_RETRY = 60
"""The longest Retry-After, in seconds."""
DECAY = 0.9
"""The weight of earlier batches in the running mean of seconds per row."""


class BusyError(HTTPException):
    """Too many rows wait to accept more; the status is 429.

    Attributes:
        retry_after: Whole seconds after which there should be room again.
    """

    def __init__(self, retry_after: int) -> None:
        message = f"too many rows wait; try again in {retry_after} s"
        super().__init__(429, message, {"Retry-After": str(retry_after)})
        self.retry_after = retry_after


class Batcher:
    """Puts the rows of many requests into few batches.

    A request first reserves places for its rows (`admit`), which is where back-pressure is, then
    waits for the answers to its tokenized rows (`answer`). A row whose request was cancelled is
    dropped before it is run. `run` is the loop that forms batches; it has to be started once, as a
    task.

    Args:
        predictor: Runs rows of mixed tasks and lengths; in one thread only.
        limits: How many rows may wait, how long, and how large a batch is.
        metrics: Counts rows and batches.
    """

    def __init__(self, predictor: Predictor, limits: Limits, metrics: Metrics) -> None:
        self._predictor = predictor
        self._limits = limits
        self._metrics = metrics
        self._waiting: list[WaitingRow] = []
        self._arrived = asyncio.Event()
        self._admitted = 0
        self._requests = 0
        self._clock = 0.0
        self._row_seconds = 0.0

    @contextlib.contextmanager
    def admit(self, rows: int) -> Iterator[None]:
        """Holds a place for the rows of a request until they are answered.

        Args:
            rows: How many.

        Raises:
            BusyError: If that is more than there is room for.
        """
        if self._admitted + rows > self._limits.waiting_rows:
            seconds = math.ceil(self._admitted * self._row_seconds)
            raise BusyError(min(max(1, seconds), LONGEST_RETRY))
        self._hold(rows)
        try:
            yield
        finally:
            self._hold(-rows)

    async def answer(self, rows: Sequence[PreparedRow]) -> list[Answer]:
        """Waits for the answers to the rows of a request.

        Args:
            rows: Tokenized rows that were admitted.

        Returns:
            One answer for each row, in order.

        Raises:
            InputError: If one of them cannot be answered, such as when its task has just gone.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        turns = zip(rows, take_turns(rows, self._clock), strict=True)
        jobs = [WaitingRow(row, loop.create_future(), now, turn) for row, turn in turns]
        self._waiting = sorted(self._waiting + jobs, key=lambda job: job.turn)
        self._arrived.set()
        self._requests += 1
        try:
            return await asyncio.gather(*(job.answer for job in jobs))
        finally:
            self._requests -= 1
            for job in jobs:  # where one has failed, the others are not waited for
                job.answer.cancel()

    async def run(self) -> None:
        """Forms batches and runs them until it is cancelled."""
        with ThreadPoolExecutor(1, "maskjax-model") as worker:
            while True:
                batch = await self._next()
                taken = set(map(id, batch.rows))
                self._waiting = [job for job in self._waiting if id(job) not in taken]
                self._clock += batch.tokens / max(1, self._requests)
                await self._run(batch, worker)

    async def _next(self) -> Batch:
        """Waits for a batch that is full, or whose oldest row has waited long enough."""
        loop = asyncio.get_running_loop()
        while True:
            self._drop_abandoned()
            self._arrived.clear()
            left = None
            if self._waiting:
                oldest = min(job.since for job in self._waiting)
                left = oldest + self._limits.wait_ms / 1e3 - loop.time()
                batch = next_batch(self._waiting, self._limits.batch_tokens)
                if batch.full or left <= 0:
                    return batch
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)

    def _drop_abandoned(self) -> None:
        kept = [job for job in self._waiting if not job.answer.done()]
        self._metrics.dropped.inc(len(self._waiting) - len(kept))
        self._waiting = kept

    async def _run(self, batch: Batch, worker: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        rows = [job.row for job in batch.rows]
        outcomes = await loop.run_in_executor(worker, self._outcomes, rows)
        for job, outcome in zip(batch.rows, outcomes, strict=True):
            if job.answer.done():
                continue
            if isinstance(outcome, Exception):
                job.answer.set_exception(outcome)
            else:
                job.answer.set_result(outcome)
        self._count(batch, loop.time() - start)

    def _outcomes(self, rows: list[PreparedRow]) -> list[Answer | Exception]:
        """Answers; an error reaches only the rows that cause it, found by halving the batch."""
        try:
            return list(self._predictor.run(rows, None))
        except Exception as error:
            if len(rows) == 1:
                return [error]
            if not isinstance(error, InputError):
                log.warning("a batch of %d rows failed, its halves are tried: %r", len(rows), error)
        middle = len(rows) // 2
        return [*self._outcomes(rows[:middle]), *self._outcomes(rows[middle:])]

    def _hold(self, rows: int) -> None:
        self._admitted += rows
        self._metrics.queue.set(self._admitted)

    def _count(self, batch: Batch, seconds: float) -> None:
        mean = seconds / len(batch.rows)
        self._row_seconds = DECAY * (self._row_seconds or mean) + (1 - DECAY) * mean
        self._metrics.batch_seconds.observe(seconds)
        self._metrics.batch_rows.observe(len(batch.rows))
        self._metrics.batch_fill.observe(batch.tokens / self._limits.batch_tokens)
