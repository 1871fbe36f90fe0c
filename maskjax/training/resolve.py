"""Settings as a run stores them: they mean the same in any folder."""

from dataclasses import replace

from maskjax.config import Config, TaskConfig
from maskjax.places import expand_home
from maskjax.tasks import REGISTRY


def resolve_config(config: Config) -> Config:
    """Makes local paths absolute, and adds the buckets that the longest rows need.

    A name that is no path where the process runs, such as the id of a model on the Hub, stays.

    Example:
        >>> resolve_config(Config(task=TaskConfig(max_length=300))).train.buckets
        (16, 32, 64, 128, 256, 300)
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
