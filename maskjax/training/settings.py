"""Settings as a run stores them, and whether a run may resume another with these settings."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskjax.config import Config, TaskConfig, config_to_dict, flat_settings, load_config
from maskjax.errors import InputError
from maskjax.folders import expand_home
from maskjax.taskfile.find_runs import CONFIG_FILE
from maskjax.tasks import REGISTRY

RESULT_FILE = "result.json"
FREE = frozenset(
    {
        *("train.checkpoint_minutes", "train.check_finite", "model.offline", "task.cache"),
        *("mesh.data", "mesh.model", "mesh.fsdp"),
    }
)
"""Settings that may change when a run resumes, since its result does not depend on them."""
RAISABLE = frozenset({"train.epochs"})
"""Settings that may be raised when a run resumes."""


def resolve_config(config: Config) -> Config:
    """Makes local paths absolute, and adds the buckets that the longest rows need.

    A name that is no path where the process runs, such as the id of a model on the Hub, stays.

    Example:
        >>> resolve_config(Config(task=TaskConfig(max_length=300))).train.buckets
        (16, 32, 64, 128, 256, 300)
        >>> resolve_config(Config(task=TaskConfig(max_length=8192))).train.buckets[4:]
        (256, 512, 1024, 2048, 4096, 8192)
    """
    task, train = config.task, config.train
    checkpoints = train.checkpoints
    if checkpoints is not None and "://" not in checkpoints:
        checkpoints = _absolute(checkpoints)
    buckets = train.buckets
    while buckets[-1] < task.max_length:
        buckets = (*buckets, min(2 * buckets[-1], task.max_length))
    masks = config.adaptation.masks
    return replace(
        config,
        model=replace(config.model, base=_if_there(config.model.base)),
        task=_resolve_task(task),
        adaptation=replace(config.adaptation, masks=None if masks is None else _if_there(masks)),
        train=replace(train, checkpoints=checkpoints, buckets=buckets),
    )


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


def _resolve_task(task: TaskConfig) -> TaskConfig:
    """A name may be that of a local folder, with the files of a data set."""
    if task.path is not None:
        return replace(task, path=_absolute(task.path))
    return task if task.name in REGISTRY else replace(task, name=_if_there(task.name))


def _absolute(path: str) -> str:
    return str(expand_home(path).absolute())


def _if_there(name: str) -> str:
    """The path of what exists here; else the name. A folder goes before a name of the Hub."""
    return _absolute(name) if name and expand_home(name).exists() else name
