"""Output that cannot be written: `maskjax tasks | head -1`, or a file on a full disk."""

import os
import sys
from collections.abc import Callable

from maskjax.errors import os_error_text

CLOSED_PIPE = 141
"""The exit code that shells report for a program that SIGPIPE ended: 128 + 13."""


def silent_when_pipe_closes(command: Callable[[], int]) -> int:
    """Runs a command, and ends without a message when the reader of its output has gone.

    Output that cannot be written for another reason, such as a full disk, is one line.
    """
    try:
        try:
            return command()
        finally:
            # Python flushes at exit too, but reports a failure there on standard error.
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return CLOSED_PIPE
    except OSError as error:
        _discard_output()
        print(f"error: {os_error_text(error)}", file=sys.stderr)
        return 2
    except SystemExit as end:
        # rich turns a BrokenPipeError into SystemExit(1).
        if isinstance(end.__context__, BrokenPipeError):
            _discard_output()
            return CLOSED_PIPE
        raise


def _discard_output() -> None:
    """Redirects standard output, where unwritten text may remain, to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
