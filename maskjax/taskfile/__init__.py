"""Saved masks: the one small file that turns a base model into a task."""

from maskjax.taskfile.algebra import intersect, restrict, unite
from maskjax.taskfile.atomic import write_atomically
from maskjax.taskfile.base_check import check_base
from maskjax.taskfile.meta import make_meta
from maskjax.taskfile.taskfile import (
    TASK_FILE,
    TaskFile,
    find_task_file,
    load_task_file,
    make_task_file,
    mask_bytes,
    read_task_file,
    save_task_file,
)

__all__ = [
    "TASK_FILE",
    "TaskFile",
    "check_base",
    "find_task_file",
    "intersect",
    "load_task_file",
    "make_meta",
    "make_task_file",
    "mask_bytes",
    "read_task_file",
    "restrict",
    "save_task_file",
    "unite",
    "write_atomically",
]
