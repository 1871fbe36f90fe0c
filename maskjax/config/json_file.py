"""JSON that may be damaged: one line says what is wrong, and where."""

import json
from pathlib import Path
from typing import Any

from maskjax.errors import InputError


def read_json(path: Path, remedy: str = "mend or delete it") -> Any:
    """Reads a JSON file.

    Args:
        path: The file, in UTF-8.
        remedy: The end of the error message.

    Returns:
        Its value.

    Raises:
        InputError: If it cannot be read, is not UTF-8 or no JSON, or is nested too deeply.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    return parse_json(content, str(path), remedy)


def parse_json(content: bytes | str, place: str, remedy: str = "mend or delete it") -> Any:
    """Parses JSON.

    Args:
        content: The text.
        place: Where it stands, for the error message.
        remedy: The end of the error message.

    Returns:
        Its value.

    Raises:
        InputError: As for `read_json`.

    Example:
        >>> parse_json("[" * 100_000, "x.json")
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: x.json: JSON that is nested too deeply; mend or delete it.
    """
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: not UTF-8, and so not JSON; {remedy}.") from error
    except RecursionError as error:
        raise InputError(f"{place}: JSON that is nested too deeply; {remedy}.") from error
    except ValueError as error:  # a syntax error, or a number of thousands of digits
        raise InputError(f"{place}: not valid JSON: {error}; {remedy}.") from error
