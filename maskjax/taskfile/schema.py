"""What the JSON header of a task file must hold, so that readers need not check each value."""

from collections.abc import Iterator, Mapping
from typing import Any

from maskjax.errors import InputError

NUMBER = (int, float)
TEXT = (str,)
SCHEMA: dict[str, Any] = {
    "maskjax": TEXT,
    "task": {"name": TEXT, "kind": TEXT, "labels": [TEXT], "metric": TEXT, "text": [TEXT]},
    "base": {"name": TEXT, "revision": (str, type(None)), "digest": TEXT},
    "tokenizer": {"name": TEXT, "max_length": (int,)},
    "mask": {"polarity": TEXT, "threshold": NUMBER, "rules": [TEXT]},
    "scores": {...: NUMBER},
    "config": {"adaptation": {"method": TEXT}},
}
"""Types by key. `...` stands for any key and a list for one of any length; more keys than these
are allowed, since a later version of the same format may add some."""


def check_header(header: Mapping[str, Any], name: str) -> None:
    """Checks a header against `SCHEMA`.

    Args:
        header: The JSON values.
        name: What errors call the file.

    Raises:
        InputError: With every key that is missing or of the wrong type.
    """
    problems = list(_problems(header, SCHEMA, ""))
    if problems:
        raise InputError(f"{name}: not a task file that can be used: {'; '.join(problems)}.")


def _problems(value: Any, expected: Any, where: str) -> Iterator[str]:
    if isinstance(expected, tuple):
        if not isinstance(value, expected) or isinstance(value, bool):
            names = " or ".join("null" if t is type(None) else t.__name__ for t in expected)
            yield f"{where}: expected {names}, got {type(value).__name__}"
    elif isinstance(expected, list):
        if not isinstance(value, list):
            yield f"{where}: expected a list, got {type(value).__name__}"
        else:
            for index, item in enumerate(value):
                yield from _problems(item, expected[0], f"{where}[{index}]")
    elif not isinstance(value, Mapping):
        yield f"{where}: expected an object, got {type(value).__name__}"
    else:
        yield from _problems_of_object(value, expected, where)


def _problems_of_object(
    value: Mapping[str, Any], expected: Mapping[Any, Any], where: str
) -> Iterator[str]:
    if ... in expected:
        expected = dict.fromkeys(value, expected[...])
    for key, kind in expected.items():
        place = f"{where}.{key}" if where else key
        if key in value:
            yield from _problems(value[key], kind, place)
        else:
            yield f"{place}: missing"
