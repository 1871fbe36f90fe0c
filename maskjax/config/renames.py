"""Settings that files of earlier versions have under other names."""

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "adaptation": {"start": "initializer", "kinds": "matrix_types"},
    "optimizer": {"pull": "score_decay"},
    "train": {"lanes": "seed_loop"},
}
"""`{group: {old name: new name}}`."""


def rename_settings(values: Any) -> Any:
    """Gives the settings of a file their names of today; one that has both keeps both.

    Example:
        >>> rename_settings({"optimizer": {"pull": 0.1, "clip": 1.0}})
        {'optimizer': {'score_decay': 0.1, 'clip': 1.0}}
    """
    if not isinstance(values, Mapping):
        return values
    return {group: _rename(RENAMED.get(group, {}), settings) for group, settings in values.items()}


def _rename(names: Mapping[str, str], settings: Any) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    free = {old: new for old, new in names.items() if new not in settings}
    return {free.get(name, name): value for name, value in settings.items()}
