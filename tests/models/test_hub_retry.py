"""Retries after the Hub refuses: how long, how often, and when they end."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from maskjax.errors import InputError
from maskjax.models.hub_retry import with_backoff


class RefusedError(OSError):
    def __init__(self, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.response = SimpleNamespace(status_code=status, headers=named)


def call_after(errors: list[Exception]):
    """A call that fails with each of these, then succeeds."""

    def call() -> str:
        if errors:
            raise errors.pop(0)
        return "here"

    return call


def waits(errors: list[Exception]) -> list[float]:
    slept: list[float] = []
    assert with_backoff(call_after(errors), "a model", sleep=slept.append) == "here"
    return slept


def test_waits_for_retry_after_or_backs_off():
    assert waits([]) == []
    assert waits([RefusedError(429, Retry_After="7")]) == [7]
    assert waits([RefusedError(429) for _ in range(5)]) == [1, 2, 4, 8, 16]
    assert waits([RefusedError(429, Retry_After="nonsense")]) == [1]
    assert waits([RefusedError(429, Retry_After="0")] * 3) == [1, 1, 1]  # never at once


def test_retry_after_may_be_a_date():
    then = datetime.now(UTC) + timedelta(seconds=30)
    (wait,) = waits([RefusedError(429, Retry_After=format_datetime(then, usegmt=True))])
    assert wait == pytest.approx(30, abs=5)


def test_refusal_may_be_wrapped_by_the_client():
    outer = ConnectionError("Couldn't reach the Hub")
    outer.__cause__ = RefusedError(429, Retry_After="3")
    assert waits([outer]) == [3]


def test_waiting_ends_after_a_minute():
    slept = []
    call = call_after([RefusedError(429, Retry_After="25")] * 3)
    with pytest.raises(InputError, match=r"a model: .* after 50 s of waiting; try again in 25 s"):
        with_backoff(call, "a model", sleep=slept.append)
    assert slept == [25, 25]


@pytest.mark.parametrize("error", [RefusedError(503), ValueError("no such thing")])
def test_other_errors_are_raised_immediately(error):
    with pytest.raises(type(error)):
        with_backoff(call_after([error]), "a model", sleep=None)
