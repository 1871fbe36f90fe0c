"""The metadata of a task file: the task, its base and the settings of its run."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskjax.adaptation import masked_rules
from maskjax.config import Config, config_from_dict, config_to_dict, known_settings
from maskjax.models import Base, build_model
from maskjax.tasks import Task

if TYPE_CHECKING:
    from maskjax.taskfile.header import TaskHeader
    from maskjax.taskfile.taskfile import TaskFile


def make_meta(
    task: Task, base: Base, config: Config, scores: Mapping[str, float]
) -> dict[str, Any]:
    """Makes the metadata of a task file, which docs/task-file.md describes.

    Args:
        task: The task.
        base: The pretrained model.
        config: The settings of the run.
        scores: `{split: score}`.

    Returns:
        The `meta` of `make_task_file`.
    """
    adaptation = config.adaptation
    rules: tuple[str, ...] = ()
    if adaptation.method == "mask":
        rules = masked_rules(adaptation, build_model(base.config, task.num_outputs, kind=task.kind))
    needs = {} if config.task.stride is None else {"needs": ["stride"]}
    return {
        **needs,  # a version that would truncate long texts refuses the file
        "task": dataclasses.asdict(task),
        "scores": dict(scores),
        "base": {"name": base.name, "revision": base.revision},
        "tokenizer": {"name": base.name, "max_length": config.task.max_length},
        "mask": {
            "polarity": "1 keeps, 0 drops",
            "threshold": adaptation.threshold,
            "rules": list(rules),
        },
        "config": config_to_dict(config),
    }


def config_of(header: "TaskHeader", path: Path) -> Config:
    """The settings of the run that a file comes from."""
    return config_from_dict(known_settings(header.meta["config"]), str(path))


def task_of(file: "TaskFile | TaskHeader") -> Task:
    """The task that a file is for."""
    known = {field.name for field in dataclasses.fields(Task)}
    values = {key: value for key, value in file.meta["task"].items() if key in known}
    lists = {name: tuple(values.get(name, ())) for name in ("text", "labels", "choices")}
    return Task(**{**values, **lists})
