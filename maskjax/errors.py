"""The exceptions that the command line reports in one line, and helpers for their messages."""

import difflib
from collections.abc import Sequence


class InputError(Exception):
    """An invalid input of the user.

    The message is one line with the input (file, row, path, leaf, option), the expected and the
    actual value, and the remedy. The command line prints it without a traceback and exits with code
    2; every other exception is a defect and keeps its traceback. It is not a ValueError, which
    argument parsers catch and reword.

    Example:
        >>> raise InputError("train.tsv: no column 'text'; it has: sentence, label")
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: train.tsv: no column 'text'; it has: sentence, label
    """


class NotFiniteError(ArithmeticError):
    """The loss or a trainable array became infinite or NaN; the message names steps and leaf."""


class StoppedError(Exception):
    """SIGTERM stopped training after its state was saved; the message names the step."""


def suggest(name: str, candidates: Sequence[str], count: int = 3) -> str:
    """Lists the candidates that are most similar to a name, for the end of an error message.

    Example:
        >>> suggest("learning_rat", ["learning_rate", "epochs"])
        'did you mean learning_rate?'
    """
    matches = difflib.get_close_matches(name, candidates, n=count, cutoff=0.5)
    if matches:
        return f"did you mean {', '.join(matches)}?"
    ellipsis = ", ..." if len(candidates) > count else ""
    return f"known: {', '.join(candidates[:count])}{ellipsis}"


def os_error_text(error: OSError) -> str:
    """An error of the operating system in one line.

    Example:
        >>> os_error_text(OSError(2, "No such file or directory", "rows.csv"))
        'rows.csv: No such file or directory'
        >>> os_error_text(OSError("no route"))
        'OSError: no route'
    """
    if error.strerror is None:
        return one_line(error)
    return f"{error.filename or 'output'}: {error.strerror}"


def one_line(error: Exception) -> str:
    """An error of another library in one line, for the end of an error message.

    Example:
        >>> one_line(OSError("no\\n  route"))
        'OSError: no route'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def visible(value: object) -> str:
    r"""Escapes each character that cannot be printed, such as a line break or a lone surrogate.

    Example:
        >>> visible("größe.mask"), visible("a\nb"), visible("\udcff")
        ('größe.mask', 'a\\nb', '\\udcff')
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def printable(text: str, limit: int = 400) -> str:
    """Text of a file for an error message: in one line, without control characters.

    Example:
        >>> printable("two\\nlines \\x1b[1m"), printable("two\\nlines")
        ('two lines \\\\x1b[1m', 'two lines')
    """
    shown = visible(" ".join(text[:limit].split()))
    return shown if len(text) <= limit else f"{shown}..."
