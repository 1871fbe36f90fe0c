"""Checks of single JSON values. A check yields each problem with its location."""

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from maskjax.taskfile.limits import MAX_TEXT

Field = Callable[[Any, str], Iterator[str]]
"""A check of a value and its location in the header, which yields problems."""

_LISTED = 5
_WIDTH = 80
_LARGEST = 1e300


def list_problems(problems: Iterable[str]) -> str:
    """Joins the first few problems; "" if there are none."""
    listed = list(islice(problems, _LISTED + 1))
    return "; ".join(listed[:_LISTED]) + ("; and more" if len(listed) > _LISTED else "")


def preview(value: Any) -> str:
    """A value of a file for an error message, in one short line without control characters."""
    text = value[: _WIDTH + 1] if isinstance(value, str) else reprlib.repr(value)
    text = text if text and text.isprintable() else repr(text)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def name() -> Field:
    """Text that is neither empty nor has control characters."""
    any_text = text(minimum=1)

    def check(value: Any, location: str) -> Iterator[str]:
        problems = list(any_text(value, location))
        if not problems and not value.isprintable():
            problems = [f"{location}: expected no control characters, got {preview(value)}"]
        yield from problems

    return check


def text(maximum: int = MAX_TEXT, *, minimum: int = 0, pattern: str = "", form: str = "") -> Field:
    """Unicode text. `form` describes `pattern` in words."""

    def check(value: Any, location: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield _unexpected(location, "text", value)
        elif not minimum <= len(value) <= maximum:
            yield f"{location}: expected {minimum} to {maximum:,} characters, got {len(value):,}"
        elif not is_unicode(value):
            yield (
                f"{location}: expected Unicode text, got {preview(value)}, which has a lone"
                " surrogate"
            )
        elif pattern and not re.fullmatch(pattern, value):
            yield f"{location}: expected {form}, got {preview(value)}"

    return check


def is_unicode(value: str) -> bool:
    """Whether a text has no lone surrogates, so that it can be printed and written."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def one_of(*choices: Any) -> Field:
    """One of the choices; 1.0 and True are not 1."""

    def check(value: Any, location: str) -> Iterator[str]:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            expected = " or ".join(str(choice) for choice in choices)
            yield (
                f"{location}: expected {expected}, got {preview(value)}; upgrade maskjax or fix it"
            )

    return check


def integer(low: int, high: int) -> Field:
    """A whole number in a range."""

    def check(value: Any, location: str) -> Iterator[str]:
        if type(value) is not int:
            yield _unexpected(location, "a whole number", value)
        elif not low <= value <= high:
            yield f"{location}: expected {low} to {high:,}, got {preview(value)}"

    return check


def number() -> Field:
    """A finite number."""

    def check(value: Any, location: str) -> Iterator[str]:
        if type(value) is not int and type(value) is not float:
            yield _unexpected(location, "a number", value)
        elif not abs(value) < _LARGEST:
            yield f"{location}: expected a finite number, got {preview(value)}"

    return check


def nullable(field: Field) -> Field:
    """A value or null."""

    def check(value: Any, location: str) -> Iterator[str]:
        if value is not None:
            yield from field(value, location)

    return check


def sequence(field: Field, maximum: int, *, minimum: int = 0) -> Field:
    """A list of values of one type."""

    def check(value: Any, location: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _unexpected(location, "a list", value)
        elif not minimum <= len(value) <= maximum:
            yield f"{location}: expected {minimum} to {maximum:,} values, got {len(value):,}"
        else:
            for index, item in enumerate(value):
                yield from field(item, f"{location}[{index}]")

    return check


def mapping(field: Field, maximum: int) -> Field:
    """An object with any keys, whose values are of one type."""
    any_name = name()

    def check(value: Any, location: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield _unexpected(location, "an object", value)
        elif len(value) > maximum:
            yield f"{location}: expected at most {maximum:,} keys, got {len(value):,}"
        else:
            for key, item in value.items():
                key_location = f"{location}.{preview(key)}"
                yield from any_name(key, key_location)
                yield from field(item, key_location)

    return check


def record(required: Mapping[str, Field], optional: Mapping[str, Field] | None = None) -> Field:
    """An object with known keys. Other keys are ignored."""
    fields = {**required, **(optional or {})}

    def check(value: Any, location: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield _unexpected(location, "an object", value)
            return
        for key, field in fields.items():
            key_location = f"{location}.{key}" if location else key
            if key in value:
                yield from field(value[key], key_location)
            elif key in required:
                yield f"{key_location}: missing"

    return check


def _unexpected(location: str, expected: str, value: Any) -> str:
    got = "null" if value is None else f"{type(value).__name__} {preview(value)}"
    return f"{location}: expected {expected}, got {got}"
