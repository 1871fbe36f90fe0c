"""Spellings of labels: which name the same class, and which name none."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from maskjax.errors import InputError
from maskjax.tasks.task import IGNORED
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates

# pandas turns a column of integers with a gap in it into floats.
WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
TRUTH = {"true": "True", "TRUE": "True", "false": "False", "FALSE": "False"}
WITHHELD = ("", "-1")
"""The spellings of labels that a data set withholds."""
NULLS = frozenset(("null", "none", "nan", "na", "n/a", "<na>", "_", "-"))
"""Spellings of null in files without types; these can also be the names of classes."""
SHOWN = 20
"""Labels that an error message lists; some tasks have many."""

Locate = Callable[[int], str]
"""Names the file and row of a label, by the number of the label."""


def spell(value: Any) -> str:
    """Spells a label, without the white space around it.

    Example:
        >>> [spell(value) for value in (" pos", 1, 1.0, None, float("nan"))]
        ['pos', '1', '1.0', '', '']
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Decimal):
        value = float(value)
    if not isinstance(value, int | float) or math.isnan(value):
        return ""
    return str(value)


def class_key(name: str) -> str:
    """Maps spellings that certainly name the same class to one of them.

    Example:
        >>> [class_key(name) for name in ("1.0", " 1", "01", "true")]
        ['1', '1', '01', 'True']
    """
    name = name.strip()
    match = WHOLE.fullmatch(name)
    return match[1] if match else TRUTH.get(name, name)


def is_ignored(name: str) -> bool:
    """Whether a tag is the index that PyTorch's cross-entropy ignores."""
    return class_key(name) == str(IGNORED)


def unify(names: Sequence[str], column: str, location: Locate) -> list[str]:
    """Finds the classes behind spellings."""
    first_unit: dict[str, int] = {}
    for unit, name in enumerate(names):
        first_unit.setdefault(name, unit)
    spellings: dict[str, list[str]] = {}
    for name in first_unit:
        spellings.setdefault(class_key(name), []).append(name)
    first_spelling: dict[str | Decimal, str] = {}
    for variants in spellings.values():
        name = variants[0]
        similar = first_spelling.setdefault(_canonical(name), name)
        if similar != name:
            raise InputError(
                f"{location(first_unit[name])}: label {name!r} in column {column!r} differs from"
                f" {similar!r} of {location(first_unit[similar])} in white space, Unicode form or"
                " number format only; write them alike, or name both with --task.labels if they"
                " are two classes."
            )
    # Whole floats among integers, or alone, are integers; among fractions they are not.
    are_whole = any(name.removeprefix("-").isdecimal() for name in first_unit)
    are_whole = are_whole or all(map(WHOLE.fullmatch, first_unit))
    return [
        key if len(variants) > 1 or (are_whole and WHOLE.fullmatch(variants[0])) else variants[0]
        for key, variants in spellings.items()
    ]


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Sorts names, as numbers where all of them are numbers."""
    are_numbers = all(map(NUMBER.fullmatch, names))
    return tuple(sorted(names, key=Decimal if are_numbers else None))


def are_fractions(names: Sequence[str]) -> bool:
    """Whether all names are numbers, and not all of them are whole.

    Example:
        >>> [are_fractions(names) for names in (("0.5", "3"), ("1.0", "2"), ("low", "0.5"))]
        [True, False, False]
    """
    if not names or not all(map(NUMBER.fullmatch, names)):
        return False
    return any(Decimal(name) != Decimal(name).to_integral_value() for name in names)


def check_unicode(names: Iterable[str], column: str, location: Locate) -> None:
    """Rejects labels with half of a surrogate pair."""
    checked: set[str] = set()
    for unit, name in enumerate(names):
        if name not in checked and has_surrogates(name):
            raise InputError(
                f"{location(unit)}: {NOT_UNICODE} in column {column!r}: {name!r}; correct it or"
                " delete the row."
            )
        checked.add(name)


class LabelIndex:
    """Finds the class of a spelling.

    Example:
        >>> index = LabelIndex(("0", "1"))
        >>> index.find("1.0"), index.find("01"), index.similar("01")
        (1, None, '1')
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._exact = {name: index for index, name in enumerate(labels)}
        keys = [class_key(name) for name in labels]
        counts = Counter(keys)
        self._by_key = {key: index for index, key in enumerate(keys) if counts[key] == 1}

    def find(self, name: str) -> int | None:
        """The id of the class that a spelling certainly names."""
        return self._exact.get(name, self._by_key.get(class_key(name)))

    def similar(self, name: str) -> str | None:
        """The label that differs in white space, Unicode form or number format only."""
        canonical = _canonical(name)
        return next((label for label in self._exact if _canonical(label) == canonical), None)

    def is_withheld(self, name: str) -> bool:
        """Whether a spelling stands for a withheld label."""
        is_null = name.casefold() in NULLS and self.find(name) is None
        return class_key(name) in WITHHELD or is_null


def _canonical(name: str) -> str | Decimal:
    """A label without white space, invisible characters and number format."""
    characters = unicodedata.normalize("NFC", name)
    text = "".join(c for c in characters if not c.isspace() and unicodedata.category(c) != "Cf")
    if text.lower() in ("true", "false"):
        return Decimal(text.lower() == "true")
    if THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return Decimal(text) if NUMBER.fullmatch(text) else text
