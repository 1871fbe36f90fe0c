"""The settings of an earlier run in a folder, held against those of the run that is to go there."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from maskjax.config import Config, config_to_dict, flat_settings, load_config
from maskjax.errors import InputError
from maskjax.taskfile.find_runs import CONFIG_FILE
from maskjax.training.resolve import resolve_config

RESULT_FILE = "result.json"
FREE = frozenset(
    {
        *("train.checkpoint_minutes", "model.offline", "task.cache"),
        *("mesh.data", "mesh.model", "mesh.fsdp"),
    }
)
"""Settings that may change when a run resumes, since its result does not depend on them."""
RAISABLE = frozenset({"train.epochs"})
"""Settings that may be raised when a run resumes."""


def check_stored(folder: Path, config: Config) -> Config:
    """Refuses a run folder that was begun with other settings."""
    there = resolve_config(load_config(folder / CONFIG_FILE))
    raisable = frozenset() if (folder / RESULT_FILE).exists() else RAISABLE
    here = config_to_dict(resolve_config(config))
    check_settings(str(folder), config_to_dict(there), here, raisable=raisable)
    return there


def check_settings(
    where: str,
    there: Mapping[str, Any],
    here: Mapping[str, Any],
    *,
    raisable: Collection[str] = (),
) -> None:
    """Refuses to resume a run of other settings.

    Example:
        >>> check_settings("runs/a", {"train": {"seed": 1}}, {"train": {"seed": 2}})
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: runs/a: holds a run of other settings (train.seed: 1 there, \
2 now); choose another --out, or give --overwrite.
    """
    old, new = dict(flat_settings(there)), dict(flat_settings(here))
    names = sorted(name for name in old | new if name not in FREE)
    differing = [
        f"{name}: {old.get(name)} there, {new.get(name)} now"
        for name in names
        if old.get(name) != new.get(name)
        and not (name in raisable and _is_raised(old.get(name), new.get(name)))
    ]
    if differing:
        raise InputError(
            f"{where}: holds a run of other settings ({'; '.join(differing)}); "
            "choose another --out, or give --overwrite."
        )


def _is_raised(before: Any, now: Any) -> bool:
    return type(before) is type(now) is int and before < now
