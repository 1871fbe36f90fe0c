"""JSON files, whose errors are one line with the problem and its location."""

import json
from pathlib import Path
from typing import Any

from maskjax.errors import InputError


def read_json(path: Path, remedy: str = "fix or delete it") -> Any:
    """Reads a JSON file.

    Args:
        path: The file, in UTF-8.
        remedy: The end of the error message.

    Returns:
        The value.

    Raises:
        InputError: If it cannot be read, is not UTF-8 or not JSON, or is nested too deeply.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    return parse_json(content, str(path), remedy)


def parse_json(content: bytes | str, location: str, remedy: str = "fix or delete it") -> Any:
    """Parses JSON.

    Args:
        content: The text.
        location: The location of the text, for the error message.
        remedy: The end of the error message.

    Returns:
        The value.

    Raises:
        InputError: As for `read_json`.

    Example:
        >>> parse_json("[" * 100_000, "x.json")
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: x.json: JSON that is nested too deeply; fix or delete it.
    """
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise InputError(f"{location}: not UTF-8, and so not JSON; {remedy}.") from error
    except RecursionError as error:
        raise InputError(f"{location}: JSON that is nested too deeply; {remedy}.") from error
    except ValueError as error:  # a syntax error, or a number of thousands of digits
        raise InputError(f"{location}: not valid JSON: {error}; {remedy}.") from error
