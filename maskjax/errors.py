"""The one exception that means "the input is wrong", as opposed to "the program is wrong"."""

import difflib
from collections.abc import Sequence


class InputError(Exception):
    """Something that the user gave cannot be used.

    The message is one line that names the thing (file, row, path, leaf, option), says what was
    expected and what came, and ends with the remedy. The command line prints it without a
    traceback and exits with code 2; every other exception is a defect and keeps its traceback.
    It is no ValueError, which argument parsers catch and reword.

    Example:
        >>> raise InputError("train.tsv: no column 'text'; it has: sentence, label")
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: train.tsv: no column 'text'; it has: sentence, label
    """


def near_names(name: str, known: Sequence[str], count: int = 3) -> str:
    """Lists the known names that look most like `name`, for the end of an error message.

    Args:
        name: What the user wrote.
        known: What would have been accepted.
        count: How many names to list at most.

    Returns:
        `"did you mean a, b?"`, or the first few known names where none is near.

    Example:
        >>> near_names("learning_rat", ["learning_rate", "epochs"])
        'did you mean learning_rate?'
    """
    near = difflib.get_close_matches(name, known, n=count, cutoff=0.5)
    if near:
        return f"did you mean {', '.join(near)}?"
    more = ", ..." if len(known) > count else ""
    return f"known: {', '.join(known[:count])}{more}"


def one_line(error: Exception) -> str:
    """An error of another library in one line, for the end of an error message.

    Args:
        error: The error; its text may have several lines.

    Returns:
        Its class and its text.

    Example:
        >>> one_line(OSError("no\\n  route"))
        'OSError: no route'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
