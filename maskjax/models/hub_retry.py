"""Calls to the Hugging Face Hub that wait where it asks to, for a while."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

from maskjax.errors import InputError

LONGEST = 60.0
"""Seconds that a call waits in all."""

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def with_backoff(
    call: Callable[[], Result], what: str, *, sleep: Callable[[float], None] = time.sleep
) -> Result:
    """Calls the Hub, and again after a while where it answers 429, too many requests.

    It waits as long as the header Retry-After says, and without one 1 s, 2 s, 4 s and so on; each
    wait is logged as a warning of the logger `maskjax`. The Hub's own client also waits within some
    calls, before the answer gets here.

    Example:
        >>> with_backoff(lambda: "a file", "someone/model")
        'a file'
    """
    waited, pause = 0.0, 1.0
    while True:
        try:
            return call()
        except Exception as error:  # of the network, whose classes differ between client versions
            headers = _headers_of_429(error)
            if headers is None:
                raise
            asked = _retry_after(headers.get("Retry-After"))
            wait = pause if asked is None else asked
            if waited + wait > LONGEST:
                raise InputError(
                    f"{what}: the Hub takes no more requests for now, after {waited:.0f} s of "
                    f"waiting; try again in {wait:.0f} s, log in for a higher limit, or use a "
                    "local copy."
                ) from error
        _log.warning("%s: the Hub takes no more requests for now; waiting %.0f s", what, wait)
        sleep(wait)
        waited, pause = waited + wait, pause * 2


def _headers_of_429(error: BaseException | None) -> Any:
    """The headers of the answer 429 that an error comes from; None if it comes from another."""
    while error is not None:
        response = getattr(error, "response", None)
        if getattr(response, "status_code", None) == HTTPStatus.TOO_MANY_REQUESTS:
            return getattr(response, "headers", {})
        error = error.__cause__ or error.__context__
    return None


def _retry_after(value: str | None) -> float | None:
    """Seconds of the header, which holds them or a date; at least 1."""
    if not value:
        return None
    if value.strip().isdecimal():
        return max(float(value), 1.0)
    try:
        date = parsedate_to_datetime(value).astimezone(UTC)
    except ValueError:
        return None
    return max((date - datetime.now(UTC)).total_seconds(), 1.0)
