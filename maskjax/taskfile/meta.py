"""The metadata of a task file: the task, its base and the settings of its run."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from maskjax.adaptation import masked_rules
from maskjax.config import Config, config_to_dict
from maskjax.models import Base, build_model
from maskjax.tasks import Task


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
