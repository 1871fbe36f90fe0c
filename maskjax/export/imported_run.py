"""An imported adaptation becomes a run folder, which every command takes like a trained run's."""

import dataclasses
from pathlib import Path

import pandas as pd

from maskjax.config import Config, TaskConfig
from maskjax.errors import InputError
from maskjax.export.folder import new_folder
from maskjax.export.importing import Imported
from maskjax.masking import leaves_by_path
from maskjax.models import Base, Kind
from maskjax.taskfile import TASK_FILE, make_meta, make_task_file, save_task_file
from maskjax.tasks import Table, Task
from maskjax.tasks.define import define_task
from maskjax.tasks.registry import lookup


def save_imported(imported: Imported, base: Base, config: Config, folder: Path) -> int:
    """Writes the task file of an imported adaptation.

    Args:
        imported: From `import_state`.
        base: The base that it is for.
        config: Its `task` names the task, its `model` the base; the rest is noted only.
        folder: New or empty.

    Returns:
        The size of the task file in bytes.

    Raises:
        InputError: If the settings of the task do not fit the head, or if the folder is not empty
            or cannot be written.
    """
    task = imported_task(config, imported.num_outputs)
    meta = make_meta(task, base, config, scores={})
    file = make_task_file(imported.frozen, leaves_by_path(base.params), meta)
    with new_folder(folder) as part:
        return save_task_file(part / TASK_FILE, file)


def kind_of_head(config: TaskConfig) -> Kind:
    """What a head is for, as far as the settings of its task tell.

    Args:
        config: The settings.

    Returns:
        The kind, for `import_state`. Classification may yet turn out to be regression, which the
        width of the head tells.
    """
    return config.kind or lookup(config.name).kind


def imported_task(config: Config, num_outputs: int) -> Task:
    """Defines the task of a head whose rows are not at hand.

    Args:
        config: Its `task` holds what is known.
        num_outputs: The width of the head.

    Returns:
        The task. Without label names, classes are called 0, 1, ...

    Raises:
        InputError: If the settings do not fit the head or each other.

    Example:
        >>> from maskjax.config import TaskConfig
        >>> imported_task(Config(task=TaskConfig(name="trec")), 3).labels
        ('0', '1', '2')
    """
    given = config.task
    kind, labels = kind_of_head(given), given.labels
    if kind == "classification" and given.kind is None and num_outputs == 1:
        kind = "regression"
    if kind in ("classification", "tokens"):
        labels = labels or tuple(str(index) for index in range(num_outputs))
    if kind == "choice" and not labels:
        raise InputError("--task.labels: name the choices; the head does not tell how many.")
    if num_outputs != (1 if kind == "choice" else len(labels) or 1):
        raise InputError(
            f"--task.labels, --task.kind: {kind} with {len(labels)} label names does not fit the "
            f"head, which has {num_outputs} outputs."
        )
    settled = dataclasses.replace(given, kind=kind, labels=labels)
    return define_task(settled, Table("the state dict", pd.DataFrame()))
