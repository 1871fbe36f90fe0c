"""The error of an invalid setting."""

from typing import Any

from maskjax.errors import InputError


def check(is_valid: bool, name: str, expected: str, actual: Any) -> None:
    """Rejects an invalid setting."""
    if not is_valid:
        raise InputError(f"{name}: expected {expected}, got {actual}.")
