"""The time left, against work of a known speed."""

import pytest

from maskjax.progress import Counter


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_first_piece_of_work_is_left_out_of_the_speed(clock):
    counter = Counter("step", 10, clock)
    assert counter.left_text() == "-:--:-- left"
    clock.now += 30  # compiling
    counter.update(1)
    assert counter.seconds_left() == pytest.approx(9 * 30)  # nothing better is known yet
    clock.now += 2
    counter.update(2)
    clock.now += 2
    counter.update(3)
    assert counter.seconds_left() == pytest.approx(7 * 2)
    clock.now += 5
    assert counter.left_text() == "0:00:09 left"
    clock.now += 50
    assert counter.left_text() == "0:00:00 left"


def test_steps_of_an_earlier_process_do_not_count_for_the_speed(clock):
    counter = Counter("step", 1000, clock)
    counter.restart(900)
    assert counter.seconds_left() is None
    for step in (901, 902, 903):
        clock.now += 10
        counter.update(step)
    assert counter.seconds_left() == pytest.approx(97 * 10)
    assert counter.text() == "step 903/1,000"


def test_work_that_does_not_recur_is_left_out(clock):
    counter = Counter("rows", 4, clock)
    for _ in range(2):
        clock.now += 1
        counter.add(1)
    clock.now += 500
    counter.leave_out(500)
    assert counter.seconds_left() == pytest.approx(2)


def test_a_step_that_is_reported_twice_counts_once(clock):
    counter = Counter("step", 4, clock)
    for step in (1, 1, 2, 2, 3, 3):
        clock.now += 1
        counter.update(step)
    assert counter.done == 3
    assert counter.seconds_left() == pytest.approx(2 - 1)  # two seconds per step, one is over


def test_time_left_is_shown_in_hours(clock):
    counter = Counter("step", 3601, clock)
    clock.now += 2
    counter.update(1)
    assert counter.left_text() == "2:00:00 left"
