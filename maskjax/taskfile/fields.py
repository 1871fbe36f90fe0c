"""Checks of single JSON values. A check yields what is wrong, each problem with its place."""

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from maskjax.taskfile.limits import MAX_TEXT

Field = Callable[[Any, str], Iterator[str]]
"""Takes a value and its place in the header."""

_LISTED = 5
_WIDTH = 80
_LARGEST = 1e300


def list_problems(problems: Iterable[str]) -> str:
    """Joins the first few problems; "" if there are none."""
    found = list(islice(problems, _LISTED + 1))
    return "; ".join(found[:_LISTED]) + ("; and more" if len(found) > _LISTED else "")


def shown(value: Any) -> str:
    """A value of a file in an error message: one short line without control characters."""
    text = value[: _WIDTH + 1] if isinstance(value, str) else reprlib.repr(value)
    text = text if text and text.isprintable() else repr(text)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def name() -> Field:
    """Text that can be shown in a line: neither empty nor with control characters."""
    any_text = text(least=1)

    def check(value: Any, where: str) -> Iterator[str]:
        problems = list(any_text(value, where))
        if not problems and not value.isprintable():
            problems = [f"{where}: expected no control characters, got {shown(value)}"]
        yield from problems

    return check


def text(most: int = MAX_TEXT, *, least: int = 0, pattern: str = "", form: str = "") -> Field:
    """Unicode text. `form` says in words what `pattern` asks for."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield _unexpected(where, "text", value)
        elif not least <= len(value) <= most:
            yield f"{where}: expected {least} to {most:,} characters, got {len(value):,}"
        elif not is_unicode(value):
            yield f"{where}: expected Unicode text, got {shown(value)}, which has a lone surrogate"
        elif pattern and not re.fullmatch(pattern, value):
            yield f"{where}: expected {form}, got {shown(value)}"

    return check


def is_unicode(value: str) -> bool:
    """Whether a text has no lone surrogates, so that it can be printed and written."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def one_of(*choices: Any) -> Field:
    """One of some values; 1.0 and True are not 1."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            expected = " or ".join(str(choice) for choice in choices)
            yield f"{where}: expected {expected}, got {shown(value)}; upgrade maskjax or mend it"

    return check


def integer(low: int, high: int) -> Field:
    """A whole number in a range."""

    def check(value: Any, where: str) -> Iterator[str]:
        if type(value) is not int:
            yield _unexpected(where, "a whole number", value)
        elif not low <= value <= high:
            yield f"{where}: expected {low} to {high:,}, got {shown(value)}"

    return check


def number() -> Field:
    """A finite number."""

    def check(value: Any, where: str) -> Iterator[str]:
        if type(value) is not int and type(value) is not float:
            yield _unexpected(where, "a number", value)
        elif not abs(value) < _LARGEST:
            yield f"{where}: expected a finite number, got {shown(value)}"

    return check


def nullable(field: Field) -> Field:
    """A value or null."""

    def check(value: Any, where: str) -> Iterator[str]:
        if value is not None:
            yield from field(value, where)

    return check


def sequence(field: Field, most: int, *, least: int = 0) -> Field:
    """A list of values of one sort."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _unexpected(where, "a list", value)
        elif not least <= len(value) <= most:
            yield f"{where}: expected {least} to {most:,} values, got {len(value):,}"
        else:
            for index, item in enumerate(value):
                yield from field(item, f"{where}[{index}]")

    return check


def mapping(field: Field, most: int) -> Field:
    """An object with any keys, whose values are of one sort."""
    any_name = name()

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield _unexpected(where, "an object", value)
        elif len(value) > most:
            yield f"{where}: expected at most {most:,} keys, got {len(value):,}"
        else:
            for key, item in value.items():
                place = f"{where}.{shown(key)}"
                yield from any_name(key, place)
                yield from field(item, place)

    return check


def record(required: Mapping[str, Field], optional: Mapping[str, Field] | None = None) -> Field:
    """An object with known keys. Other keys are left alone."""
    fields = {**required, **(optional or {})}

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield _unexpected(where, "an object", value)
            return
        for key, field in fields.items():
            place = f"{where}.{key}" if where else key
            if key in value:
                yield from field(value[key], place)
            elif key in required:
                yield f"{place}: missing"

    return check


def _unexpected(where: str, expected: str, value: Any) -> str:
    got = "null" if value is None else f"{type(value).__name__} {shown(value)}"
    return f"{where}: expected {expected}, got {got}"
