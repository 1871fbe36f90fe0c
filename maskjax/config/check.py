"""One shape for the errors of settings that make no sense by themselves."""

from typing import Any

from maskjax.errors import InputError


def check(holds: bool, name: str, expected: str, came: Any) -> None:
    """Refuses a setting."""
    if not holds:
        raise InputError(f"{name}: expected {expected}, got {came}.")
