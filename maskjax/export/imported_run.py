"""Run folders of imported adaptations, which every command accepts like those of training."""

import dataclasses
from pathlib import Path

import pandas as pd

from maskjax.config import Config, TaskConfig
from maskjax.errors import InputError
from maskjax.export.folder import new_folder
from maskjax.export.importing import Imported
from maskjax.masking import flatten_with_paths
from maskjax.models import Base, TaskType
from maskjax.taskfile import TASK_FILE, make_meta, make_task_file, save_task_file
from maskjax.tasks import Table, Task
from maskjax.tasks.build_task import define_task
from maskjax.tasks.ner_metrics import tag_parts
from maskjax.tasks.registry import REGISTRY


def save_imported(imported: Imported, base: Base, config: Config, folder: Path) -> int:
    """Writes the task file of an imported adaptation.

    Args:
        imported: From `import_state`.
        base: The base that it is for.
        config: Its `task` names the task, its `model` the base; other settings are only recorded.
        folder: New or empty.

    Returns:
        The size of the task file in bytes.

    Raises:
        InputError: If the settings of the task do not fit the head, or if the folder is not empty
            or cannot be written.
    """
    task = imported_task(config, imported.num_outputs, imported.kind, imported.alternative)
    meta = make_meta(task, base, config, scores={})
    file = make_task_file(imported.delta, flatten_with_paths(base.params), meta)
    with new_folder(folder) as temporary:
        return save_task_file(temporary / TASK_FILE, file)


def kind_of_head(config: TaskConfig) -> TaskType | None:
    """Finds the kind of a task from its settings.

    Args:
        config: The settings.

    Returns:
        The kind, for `import_state`; None for a task without a name in the registry.
        Classification can also mean regression, which the width of the head decides.

    Example:
        >>> kind_of_head(TaskConfig(name="conll2003")), kind_of_head(TaskConfig(name="my task"))
        ('tokens', None)
    """
    entry = REGISTRY.get(config.name)
    return config.kind or (entry.kind if entry else None)


def imported_task(
    config: Config,
    num_outputs: int,
    kind: TaskType = "classification",
    alternative: TaskType | None = None,
) -> Task:
    """Defines the task of a head without its rows.

    Example:
        >>> from maskjax.config import TaskConfig
        >>> imported_task(Config(task=TaskConfig(name="trec")), 3).labels
        ('0', '1', '2')
    """
    task_config = config.task
    kind, labels = kind_of_head(task_config) or kind, task_config.labels
    if alternative == "tokens" and labels and all(tag_parts(label) for label in labels):
        raise InputError(
            "--task.labels: these look like tags of words, and the head may be for words or whole "
            "texts; give --task.kind tokens or --task.kind classification."
        )
    if alternative == "choice" and labels:
        raise InputError(
            "--task.labels: the head has one output, which is that of a number or of each choice; "
            "give --task.kind choice, or leave the labels out."
        )
    if kind == "classification" and task_config.kind is None and num_outputs == 1:
        kind = "regression"
    if kind in ("classification", "tokens"):
        labels = labels or tuple(str(index) for index in range(num_outputs))
    if kind == "choice" and not labels:
        raise InputError("--task.labels: name the choices; the head does not define their number.")
    if num_outputs != (1 if kind == "choice" else len(labels) or 1):
        raise InputError(
            f"--task.labels, --task.kind: {kind} with {len(labels)} label names does not fit the "
            f"head, which has {num_outputs} outputs."
        )
    completed = dataclasses.replace(task_config, kind=kind, labels=labels)
    return define_task(completed, Table("the state dict", pd.DataFrame()))
