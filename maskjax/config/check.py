"""One shape for the errors of settings that make no sense by themselves."""

from typing import Any

from maskjax.errors import InputError


def check(holds: bool, name: str, expected: str, came: Any) -> None:
    """Refuses a setting.

    Args:
        holds: Whether it makes sense.
        name: Of the setting, such as `train.epochs`.
        expected: What would make sense.
        came: Its value.

    Raises:
        InputError: If it does not.
    """
    if not holds:
        raise InputError(f"{name}: expected {expected}, got {came}.")
