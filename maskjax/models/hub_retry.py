"""Calls to the Hugging Face Hub with retries after the status 429."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

from maskjax.errors import InputError

MAX_WAIT = 60.0
"""The maximum number of seconds that a call waits in all."""

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def with_backoff(
    call: Callable[[], Result], name: str, *, sleep: Callable[[float], None] = time.sleep
) -> Result:
    """Calls the Hub, and retries after the status 429, too many requests.

    It waits for the seconds of the header Retry-After, and without one 1 s, 2 s, 4 s and so on;
    each wait is logged as a warning of the logger `maskjax`. The Hub's own client also retries some
    calls.

    Example:
        >>> with_backoff(lambda: "a file", "someone/model")
        'a file'
    """
    waited, pause = 0.0, 1.0
    while True:
        try:
            return call()
        except Exception as error:  # the classes of network errors differ between client versions
            headers = _headers_of_429(error)
            if headers is None:
                raise
            retry_after = _retry_after(headers.get("Retry-After"))
            wait = pause if retry_after is None else retry_after
            if waited + wait > MAX_WAIT:
                raise InputError(
                    f"{name}: the Hub takes no more requests for now, after {waited:.0f} s of "
                    f"waiting; try again in {wait:.0f} s, log in for a higher limit, or use a "
                    "local copy."
                ) from error
        _log.warning("%s: the Hub takes no more requests for now; waiting %.0f s", name, wait)
        sleep(wait)
        waited, pause = waited + wait, pause * 2


def _headers_of_429(error: BaseException | None) -> Any:
    """The headers of the response 429 that caused an error; None for other causes."""
    while error is not None:
        response = getattr(error, "response", None)
        if getattr(response, "status_code", None) == HTTPStatus.TOO_MANY_REQUESTS:
            return getattr(response, "headers", {})
        error = error.__cause__ or error.__context__
    return None


def _retry_after(value: str | None) -> float | None:
    """The seconds to wait by the header, which holds seconds or a date; at least 1."""
    if not value:
        return None
    if value.strip().isdecimal():
        return max(float(value), 1.0)
    try:
        date = parsedate_to_datetime(value).astimezone(UTC)
    except ValueError:
        return None
    return max((date - datetime.now(UTC)).total_seconds(), 1.0)
