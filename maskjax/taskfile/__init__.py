"""Saved masks: the one small file that turns a base model into a task."""

from maskjax.taskfile.algebra import intersect, restrict, unite
from maskjax.taskfile.atomic import write_atomically
from maskjax.taskfile.base_check import check_base
from maskjax.taskfile.card import describe_outputs, front_matter, score_rows, task_card
from maskjax.taskfile.hub import find_task_file, push_task
from maskjax.taskfile.meta import make_meta
from maskjax.taskfile.shrink import shrink
from maskjax.taskfile.sizes import MaskSize, binary_entropy, entropy_bytes, mask_bytes, mask_size
from maskjax.taskfile.taskfile import (
    TASK_FILE,
    TaskFile,
    load_task_file,
    make_task_file,
    read_task_file,
    save_task_file,
)

__all__ = [
    "TASK_FILE",
    "MaskSize",
    "TaskFile",
    "binary_entropy",
    "check_base",
    "describe_outputs",
    "entropy_bytes",
    "find_task_file",
    "front_matter",
    "intersect",
    "load_task_file",
    "make_meta",
    "make_task_file",
    "mask_bytes",
    "mask_size",
    "push_task",
    "read_task_file",
    "restrict",
    "save_task_file",
    "score_rows",
    "shrink",
    "task_card",
    "unite",
    "write_atomically",
]
