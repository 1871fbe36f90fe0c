"""Batches across requests: each answer, waiting, limits and errors."""

import asyncio
import contextlib

import pytest

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving import Batcher, BusyError, Metrics


@pytest.fixture
def play(predictor):
    """Runs a coroutine function of a batcher while the batcher's loop runs."""

    def run(scene, **limits):
        async def whole():
            metrics = Metrics(predictor.resident)
            batcher = Batcher(predictor, Limits(**limits), metrics)
            loop = asyncio.create_task(batcher.run())
            try:
                return await asyncio.wait_for(scene(batcher, metrics), 20)
            finally:
                predictor.gate.set()
                loop.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await loop

        return asyncio.run(whole())

    return run


def value(metrics, name):
    return metrics.registry.get_sample_value(name)


def test_each_request_gets_the_answers_to_its_own_rows(predictor, play):
    """Forty requests of three rows have mixed tasks and lengths, and share batches."""
    tasks = ["mood", "same", "stars", None]
    texts = [[f"{n} {row} " + "x " * (5 * n + row) for row in range(3)] for n in range(40)]

    async def scene(batcher, metrics):
        rows = [predictor.prepare(row, tasks[n % 4]) for n, row in enumerate(texts)]
        return await asyncio.gather(*map(batcher.answer, rows))

    answers = play(scene, batch_tokens=2048)
    for n, row in enumerate(texts):
        prepared = predictor.prepare(row, tasks[n % 4])
        assert answers[n] == [predictor.answer_row(ready) for ready in prepared]
    assert len(predictor.batches) < 30
    assert max(len({row.task for row in batch}) for batch in predictor.batches) > 1


def test_rows_wait_at_most_the_configured_time(predictor, play):
    async def scene(batcher, metrics):
        async def late():
            await asyncio.sleep(0.05)
            return await batcher.answer(predictor.prepare(["second"], "stars"))

        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(batcher.answer(predictor.prepare(["first"], "mood")), late())
        return loop.time() - start

    assert 0.3 <= play(scene, wait_ms=300) < 3
    assert [len(batch) for batch in predictor.batches] == [2]


def test_full_batch_runs_without_waiting(predictor, play):
    async def scene(batcher, metrics):
        return await batcher.answer(predictor.prepare(["a"] * 4, "mood"))

    play(scene, wait_ms=15000, batch_tokens=64)
    assert [len(batch) for batch in predictor.batches] == [4]


def test_rows_over_the_limit_are_refused_until_others_finish(predictor, play):
    async def scene(batcher, metrics):
        with batcher.admit(3), pytest.raises(BusyError) as refusal, batcher.admit(2):
            pass
        assert refusal.value.retry_after == 1
        assert value(metrics, "maskjax_queue_rows") == 0
        with batcher.admit(4):
            assert value(metrics, "maskjax_queue_rows") == 4

    play(scene, waiting_rows=4, request_rows=4)


def test_retry_after_is_the_time_of_the_waiting_rows(predictor, play):
    predictor.seconds = 0.3

    async def scene(batcher, metrics):
        await batcher.answer(predictor.prepare(["a"], "mood"))
        with batcher.admit(10), pytest.raises(BusyError) as refusal, batcher.admit(1):
            pass
        return refusal.value.retry_after

    assert 3 <= play(scene, waiting_rows=10, request_rows=1, wait_ms=0) < 8


def test_rows_of_canceled_requests_are_not_run(predictor, play):
    predictor.gate.clear()

    async def scene(batcher, metrics):
        first = asyncio.create_task(batcher.answer(predictor.prepare(["first"], "mood")))
        while not predictor.batches:
            await asyncio.sleep(0.01)
        gone = asyncio.create_task(batcher.answer(predictor.prepare(["gone", "too"], "mood")))
        last = asyncio.create_task(batcher.answer(predictor.prepare(["last"], "mood")))
        await asyncio.sleep(0)
        gone.cancel()
        predictor.gate.set()
        await asyncio.gather(first, last)
        assert value(metrics, "maskjax_dropped_rows_total") == 2

    play(scene, wait_ms=0)
    assert [[row.texts for row in batch] for batch in predictor.batches] == [
        [("first",)],
        [("last",)],
    ]


def test_removed_task_fails_its_own_rows_only(predictor, play):
    async def scene(batcher, metrics):
        rows = [predictor.prepare(["a", "b"], task) for task in ("mood", "same", "stars")]
        predictor.remove("same")
        return await asyncio.gather(*map(batcher.answer, rows), return_exceptions=True)

    mood, same, stars = play(scene)
    assert mood == [predictor.answer("mood", text) for text in "ab"]
    assert stars == [predictor.answer("stars", text) for text in "ab"]
    assert isinstance(same, InputError)


def test_error_reaches_only_the_request_that_caused_it(predictor, play):
    """One row of seven cannot be run; the others of its batch, and of its task, are answered."""

    def fail():
        if any("bad" in row.texts for row in predictor.batches[-1]):
            raise ZeroDivisionError

    predictor.before = fail
    texts = ["a", "b", "c", "bad", "d"]

    async def scene(batcher, metrics):
        rows = [predictor.prepare([text], "mood") for text in texts]
        rows += [predictor.prepare(["e"], "stars"), predictor.prepare(["f"], None)]
        return await asyncio.gather(*map(batcher.answer, rows), return_exceptions=True)

    answers = play(scene)
    assert isinstance(answers.pop(3), ZeroDivisionError)
    tasks = ["mood"] * 4 + ["stars", None]
    expected = [[predictor.answer(*asked)] for asked in zip(tasks, "abcdef", strict=True)]
    assert answers == expected


def test_row_is_run_between_parts_of_long_requests(predictor, play):
    """A short row arrives while six long requests run, and is in the next batch but one."""

    async def scene(batcher, metrics):
        many = [f"{number} " + "x " * 100 for number in range(16)]
        asked = [batcher.answer(predictor.prepare(many, "mood")) for _ in range(6)]
        long = asyncio.gather(*asked)
        while len(predictor.batches) < 7:
            await asyncio.sleep(0.001)
        predictor.gate.clear()
        count = len(predictor.batches)
        short = asyncio.create_task(batcher.answer(predictor.prepare(["short"], "stars")))
        await asyncio.sleep(0.01)
        predictor.gate.set()
        await short
        assert not long.done()
        await long
        return count

    predictor.seconds = 0.01
    count = play(scene, batch_tokens=1024)
    places = [n for n, batch in enumerate(predictor.batches) if batch[0].texts == ("short",)]
    assert len(places) == 1
    assert places[0] <= count + 1


def test_long_request_is_not_starved_by_short_ones(predictor, play):
    async def scene(batcher, metrics):
        many = [f"{number} " + "x " * 100 for number in range(8)]
        long = asyncio.create_task(batcher.answer(predictor.prepare(many, "mood")))
        counts = [0] * 16

        async def ask(client):
            while not long.done() and counts[client] < 200:
                await batcher.answer(predictor.prepare([f"{counts[client]}"], "stars"))
                counts[client] += 1

        await asyncio.gather(*map(ask, range(16)))
        assert long.done()
        return max(counts)

    # Of a long row's 128 tokens, each of the others gets as many: eight short ones.
    assert play(scene, batch_tokens=128, wait_ms=0) < 100


def test_batches_are_counted(predictor, play):
    async def scene(batcher, metrics):
        await batcher.answer(predictor.prepare(["a"] * 3, "mood"))
        assert value(metrics, "maskjax_batch_rows_sum") == 3
        assert value(metrics, "maskjax_batch_fill_ratio_sum") == pytest.approx(48 / 128)
        assert value(metrics, "maskjax_batch_seconds_count") == 1

    play(scene, batch_tokens=128)
