"""Batches across requests: who gets which answer, who waits, who is sent away."""

import asyncio
import contextlib

import pytest

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving import Batcher, BusyError, Metrics


@pytest.fixture
def play(predictor):
    """Runs a coroutine function of a batcher with the batcher's loop beside it."""

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


def test_everybody_gets_the_answers_to_their_own_rows(predictor, play):
    """Forty requests of three rows of mixed tasks and lengths, in batches of many of them."""
    tasks = ["mood", "same", "stars", None]
    texts = [[f"{n} {row} " + "x " * (5 * n + row) for row in range(3)] for n in range(40)]

    async def scene(batcher, metrics):
        rows = [predictor.prepare(row, tasks[n % 4]) for n, row in enumerate(texts)]
        return await asyncio.gather(*map(batcher.answer, rows))

    answers = play(scene, batch_tokens=2048)
    for n, row in enumerate(texts):
        assert answers[n] == [predictor.answer(tasks[n % 4], text) for text in row]
    assert len(predictor.batches) < 30
    assert max(len({row.task for row in batch}) for batch in predictor.batches) > 1


def test_rows_wait_for_others_but_not_for_long(predictor, play):
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


def test_a_full_batch_waits_for_nothing(predictor, play):
    async def scene(batcher, metrics):
        return await batcher.answer(predictor.prepare(["a"] * 4, "mood"))

    play(scene, wait_ms=15000, batch_tokens=64)
    assert [len(batch) for batch in predictor.batches] == [4]


def test_too_many_rows_are_sent_away_until_there_is_room(predictor, play):
    async def scene(batcher, metrics):
        with batcher.admit(3), pytest.raises(BusyError) as refusal, batcher.admit(2):
            pass
        assert refusal.value.retry_after == 1
        assert value(metrics, "maskjax_queue_rows") == 0
        with batcher.admit(4):
            assert value(metrics, "maskjax_queue_rows") == 4

    play(scene, waiting_rows=4, request_rows=4)


def test_retry_after_is_how_long_the_rows_that_wait_will_take(predictor, play):
    predictor.seconds = 0.3

    async def scene(batcher, metrics):
        await batcher.answer(predictor.prepare(["a"], "mood"))
        with batcher.admit(10), pytest.raises(BusyError) as refusal, batcher.admit(1):
            pass
        return refusal.value.retry_after

    assert 3 <= play(scene, waiting_rows=10, request_rows=1, wait_ms=0) < 8


def test_what_nobody_waits_for_is_not_run(predictor, play):
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


def test_a_task_that_goes_takes_no_other_answers_along(predictor, play):
    async def scene(batcher, metrics):
        rows = [predictor.prepare(["a", "b"], task) for task in ("mood", "same", "stars")]
        predictor.remove("same")
        return await asyncio.gather(*map(batcher.answer, rows), return_exceptions=True)

    mood, same, stars = play(scene)
    assert mood == [predictor.answer("mood", text) for text in "ab"]
    assert stars == [predictor.answer("stars", text) for text in "ab"]
    assert isinstance(same, InputError)


def test_a_defect_is_told_and_the_next_batch_is_run(predictor, play):
    def fail():
        predictor.before = lambda: None
        raise ZeroDivisionError

    predictor.before = fail

    async def scene(batcher, metrics):
        rows = predictor.prepare(["a", "b"], "mood")
        with pytest.raises(ZeroDivisionError):
            await batcher.answer(rows)
        return await batcher.answer(rows)

    assert play(scene) == [predictor.answer("mood", text) for text in "ab"]


def test_batches_are_counted(predictor, play):
    async def scene(batcher, metrics):
        await batcher.answer(predictor.prepare(["a"] * 3, "mood"))
        assert value(metrics, "maskjax_batch_rows_sum") == 3
        assert value(metrics, "maskjax_batch_fill_ratio_sum") == pytest.approx(48 / 128)
        assert value(metrics, "maskjax_batch_seconds_count") == 1

    play(scene, batch_tokens=128)
