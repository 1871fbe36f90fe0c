"""The masks of an earlier run, under which another method trains on from the head it left."""

from maskjax.config import Config
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.masking.packed import PackedMask
from maskjax.models import Base, Model, head_paths
from maskjax.models.model import Params
from maskjax.taskfile import TaskHeader, check_base, find_task_file, read_content, read_task_header
from maskjax.tasks import Task

REMEDY = (
    "give the one it was learned on with --model.base, --model.revision, --model.reinit and "
    "--model.unshare"
)


def take_masks(
    config: Config, task: Task, base: Base, model: Model, params: Params
) -> tuple[Params, dict[str, PackedMask] | None]:
    """Takes masks and head from the run that `adaptation.masks` names."""
    if config.adaptation.masks is None:
        return params, None
    path = find_task_file(config.adaptation.masks, offline=config.model.offline)
    header = read_task_header(path)
    head = set(head_paths(model))
    _check_task(header, task)
    _check_arrays(header, head)
    check_base(header, flatten_with_paths(base.params | params), head, remedy=REMEDY)
    file = read_content(header)
    of_head = file.delta.keep(lambda path, _: path in head)
    unmasked = head if config.adaptation.head == "trained" else set()
    masks = {path: mask for path, mask in file.delta.masks.items() if path not in unmasked}
    return of_head.apply(params), masks


def _check_task(file: TaskHeader, task: Task) -> None:
    of_masks = file.meta["task"]
    if (of_masks["kind"], tuple(of_masks["labels"])) != (task.kind, task.labels):
        raise InputError(
            f"adaptation.masks: expected the {task.kind} of {_first_labels(task.labels)}, got "
            f"{file.name}, a {of_masks['kind']} of {_first_labels(of_masks['labels'])}, whose head "
            "does not fit."
        )


def _check_arrays(file: TaskHeader, head: set[str]) -> None:
    if not file.declared.masks:
        raise InputError(f"adaptation.masks: expected a run with masks, {file.name} has none.")
    arrays = file.declared.arrays.values()
    beyond = [path for leaves in arrays for path in leaves if path not in head]
    if beyond:
        raise InputError(
            f"adaptation.masks: expected masks and a head, {file.name} changes other weights too, "
            f"{beyond[0]} first; give the run that learned the masks."
        )


def _first_labels(labels: tuple[str, ...] | list[str]) -> str:
    return ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "") or "a number"
