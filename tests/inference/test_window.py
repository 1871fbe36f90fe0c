"""Calls in threads: their order, how many are under way, and what happens when one fails."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from maskjax.inference.window import in_order


@pytest.mark.parametrize("most", [1, 2, 5])
def test_results_come_in_order(most: int) -> None:
    def call(number: int) -> int:
        time.sleep(0.02 * (3 - number % 3))
        return number

    calls = [lambda number=number: call(number) for number in range(9)]
    with ThreadPoolExecutor(most) as pool:
        assert list(in_order(calls, pool, most)) == list(range(9))


def test_pending_calls_are_bounded() -> None:
    held, highest, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal held
        time.sleep(0.005)
        with lock:
            held -= 1

    def make() -> None:
        nonlocal held, highest
        with lock:
            held += 1
            highest = max(highest, held)

    def calls():
        for _ in range(20):
            make()
            yield call

    with ThreadPoolExecutor(2) as pool:
        assert len(list(in_order(calls(), pool, 2))) == 20
    assert 2 <= highest <= 3


def test_one_call_at_a_time_stays_in_this_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        found = list(in_order([threading.get_ident] * 3, pool, 1))
    assert found == [threading.get_ident()] * 3


def test_a_failure_is_raised_once_the_others_have_ended() -> None:
    ended = []

    def slow() -> None:
        time.sleep(0.05)
        ended.append(True)

    def fail() -> None:
        raise KeyError("gone")

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(KeyError, match="gone"):
            list(in_order([fail, slow], pool, 2))
        assert ended == [True]
