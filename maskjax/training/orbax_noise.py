"""What orbax and its threads print besides the error that they raise.

When a write fails, orbax raises the first error and closes its event loop. The other writes fail
as well, and their errors are not taken: asyncio logs each, and the threads of tensorstore
report a closed loop, a page of traceback per array. Where a read fails, the other reads are dropped
unfinished, and each reports that. All of it repeats what was raised.
"""

import inspect
import logging
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

MINE = ("orbax", "OCDBT")
"""Words that all of asyncio's reports on writes of orbax have."""


@cache
def silence_orbax() -> None:
    """Filters these reports, once for the process; other errors are reported as before."""
    logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
    logging.getLogger("asyncio").addFilter(_is_not_of_orbax)
    sys.unraisablehook = _without_orbax(sys.unraisablehook)


def _is_not_of_orbax(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return "never retrieved" not in text or not any(word in text for word in MINE)


def _without_orbax(report: Callable[[Any], Any]) -> Callable[[Any], None]:
    def hook(unraisable: Any) -> None:
        if not (_is_closed_loop(unraisable) or _is_dropped_read(unraisable.object)):
            report(unraisable)

    return hook


def _is_closed_loop(unraisable: Any) -> bool:
    error = unraisable.exc_value
    is_closed = isinstance(error, RuntimeError) and str(error) == "Event loop is closed"
    return is_closed and _is_in_asyncio(unraisable.exc_traceback)


def _is_dropped_read(reported: Any) -> bool:
    """Whether a coroutine of orbax was dropped before its end."""
    return inspect.iscoroutine(reported) and "orbax" in Path(reported.cr_code.co_filename).parts


def _is_in_asyncio(trace: TracebackType | None) -> bool:
    """Whether a traceback begins in asyncio: it was called from no Python code."""
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("asyncio")
