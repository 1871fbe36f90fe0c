"""Settings as a run uses them, and what must hold between them, base and rows before it starts."""

from dataclasses import replace

from maskjax.config import AdaptationConfig, Config, TaskConfig
from maskjax.errors import InputError
from maskjax.folders import expand_home
from maskjax.models import Base
from maskjax.taskfile import check_meta, make_meta
from maskjax.tasks import REGISTRY, LoadedTask


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


def validate(config: Config, base: Base, data: LoadedTask) -> None:
    """Refuses settings that do not fit each other, the base or the rows, by an InputError."""
    check_length(config, base)
    _check_frozen_dtype(config)
    if config.adaptation.target_sparsity is not None:
        _check_target(config.adaptation)
    # Labels and names that no task file may hold are refused now, not after training.
    check_meta(make_meta(data.task, base, config, {}), "the task file of this run")


def check_length(config: Config, base: Base) -> None:
    """Refuses rows that are longer than what the base reads, by an InputError."""
    longest, positions = config.task.max_length, base.config.max_positions
    if longest > positions:
        raise InputError(
            f"task.max_length: expected at most {positions:,} tokens, which is what {base.name} "
            f"reads, got {longest:,}; set --task.max-length {positions}, with --task.stride "
            f"{positions // 4} to read longer texts in windows."
        )


def _check_frozen_dtype(config: Config) -> None:
    dtype = config.model.frozen_dtype
    if dtype != "float32" and config.adaptation.method == "finetune":
        raise InputError(
            f"model.frozen_dtype: finetuning freezes nothing that could be held in {dtype}; leave "
            "it out, or use another --adaptation.method."
        )


def _check_target(config: AdaptationConfig) -> None:
    if config.method != "mask":
        raise InputError(
            f"adaptation.target_sparsity: {config.method} has no masks; leave it out, or use "
            "--adaptation.method mask."
        )
    if config.binarizer.endswith("top_k"):
        raise InputError(
            f"adaptation.target_sparsity: {config.binarizer} keeps its sparsity throughout; leave "
            "it out and set --adaptation.sparsity, or use --adaptation.binarizer threshold."
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
