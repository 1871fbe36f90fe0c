"""Reports that repeat what orbax raised are dropped, and no others."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from maskjax.training.orbax_noise import _is_not_of_orbax, _without_orbax


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('Future exception was never retrieved: Error writing "a" in OCDBT database', False),
        ("Task exception was never retrieved: Store.write() of orbax/checkpoint", False),
        ("Future exception was never retrieved: my own", True),
        ("orbax: something else", True),
    ],
)
def test_log_records_of_orbax_are_dropped(text, kept):
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, text, (), None)
    assert _is_not_of_orbax(record) == kept


def closed_loop() -> RuntimeError:
    loop = asyncio.new_event_loop()
    loop.close()
    try:
        loop.call_soon_threadsafe(print)
    except RuntimeError as error:
        return error
    raise AssertionError("a closed loop took a call")


def test_thread_reports_of_orbax_are_dropped():
    reported = []
    hook = _without_orbax(reported.append)
    error = closed_loop()
    # A thread of C calls asyncio itself, so that its frame is the first.
    from_c = SimpleNamespace(
        exc_value=error, exc_traceback=error.__traceback__.tb_next, object=None
    )
    from_python = SimpleNamespace(exc_value=error, exc_traceback=error.__traceback__, object=None)
    other = SimpleNamespace(exc_value=RuntimeError("mine"), exc_traceback=None, object=None)
    for report in (from_c, from_python, other):
        hook(report)
    assert reported == [from_python, other]


async def reads():
    """A coroutine that, unlike those of orbax, is of this file."""


def test_coroutine_reports_of_orbax_are_dropped():
    reported = []
    hook = _without_orbax(reported.append)
    code = compile("async def reads(): pass", "site-packages/orbax/checkpoint/x.py", "exec")
    names: dict = {}
    exec(code, names)
    coroutines = [make() for make in (names["reads"], reads)]
    reports = [SimpleNamespace(exc_value=OSError(), object=one) for one in coroutines]
    for report, coroutine in zip(reports, coroutines, strict=True):
        hook(report)
        coroutine.close()
    assert reported == [reports[1]]
