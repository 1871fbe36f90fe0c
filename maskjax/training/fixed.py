"""The masks of an earlier run, under which another method trains on from the head it left."""

from maskjax.adaptation import merge
from maskjax.config import Config
from maskjax.errors import InputError
from maskjax.masking import PackedMask, leaves_by_path
from maskjax.models import Base, Model, head_paths
from maskjax.models.model import Params
from maskjax.taskfile import TaskFile, check_base, find_task_file, load_task_file
from maskjax.tasks import Task

REMEDY = "give the one it was learned on with --model.base, --model.revision and --model.reinit"


def take_masks(
    config: Config, task: Task, base: Base, model: Model, params: Params
) -> tuple[Params, dict[str, PackedMask] | None]:
    """Takes masks and head from the run that `adaptation.masks` names.

    Args:
        config: The new run.
        task: Its task.
        base: Its base.
        model: Its model.
        params: The frozen weights with a random head.

    Returns:
        The params with the head of that run, and the masks that hold fixed: all of them, but for
        those of a head that is to be trained without. Without such a run, the params as they
        are, and None.

    Raises:
        InputError: If the run cannot be read, is of another task or on another base, or changed
            more than masks and head can say.
    """
    if config.adaptation.masks is None:
        return params, None
    path = find_task_file(config.adaptation.masks, offline=config.model.offline)
    file = load_task_file(path)
    head = set(head_paths(model))
    _check_task(file, task)
    _check_arrays(file, head)
    check_base(file, leaves_by_path(base.params | params), head, remedy=REMEDY)
    of_head = {
        sort: {path: leaf for path, leaf in leaves.items() if path in head}
        for sort, leaves in file.frozen.items()
    }
    unmasked = head if config.adaptation.head == "trained" else set()
    masks = {path: mask for path, mask in file.masks.items() if path not in unmasked}
    return merge(of_head, params), masks


def _check_task(file: TaskFile, task: Task) -> None:
    came = file.meta["task"]
    if (came["kind"], tuple(came["labels"])) != (task.kind, task.labels):
        raise InputError(
            f"adaptation.masks: expected the {task.kind} of {_some(task.labels)}, got "
            f"{file.name}, a {came['kind']} of {_some(came['labels'])}, whose head does not fit."
        )


def _check_arrays(file: TaskFile, head: set[str]) -> None:
    if not file.masks:
        raise InputError(f"adaptation.masks: expected a run with masks, {file.name} has none.")
    beyond = [path for leaves in file.arrays.values() for path in leaves if path not in head]
    if beyond:
        raise InputError(
            f"adaptation.masks: expected masks and a head, {file.name} changes other weights too, "
            f"{beyond[0]} first; give the run that learned the masks."
        )


def _some(labels: tuple[str, ...] | list[str]) -> str:
    return ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "") or "a number"
