"""Saved masks: the one small file that turns a base model into a task."""

from maskjax.taskfile.atomic import write_atomically
from maskjax.taskfile.compatibility import check_base
from maskjax.taskfile.digest import BaseDigests
from maskjax.taskfile.find_runs import METRICS_FILE, FoundRuns, LeftOut, find_runs
from maskjax.taskfile.header import TaskHeader, read_task_header
from maskjax.taskfile.hub import find_task_file, push_task
from maskjax.taskfile.mask_ops import intersect, restrict, unite
from maskjax.taskfile.meta import make_meta
from maskjax.taskfile.model_card import (
    describe_lengths,
    describe_outputs,
    front_matter,
    score_rows,
    stride_of,
    task_card,
)
from maskjax.taskfile.shrink import shrink
from maskjax.taskfile.sizes import (
    MaskSize,
    binary_entropy,
    declared_size,
    entropy_bytes,
    mask_bytes,
    mask_size,
)
from maskjax.taskfile.taskfile import (
    TASK_FILE,
    TaskFile,
    load_task_file,
    make_task_file,
    read_content,
    read_task_file,
    save_task_file,
)
from maskjax.taskfile.write import check_meta

__all__ = [
    "METRICS_FILE",
    "TASK_FILE",
    "BaseDigests",
    "FoundRuns",
    "LeftOut",
    "MaskSize",
    "TaskFile",
    "TaskHeader",
    "binary_entropy",
    "check_base",
    "check_meta",
    "declared_size",
    "describe_lengths",
    "describe_outputs",
    "entropy_bytes",
    "find_runs",
    "find_task_file",
    "front_matter",
    "intersect",
    "load_task_file",
    "make_meta",
    "make_task_file",
    "mask_bytes",
    "mask_size",
    "push_task",
    "read_content",
    "read_task_file",
    "read_task_header",
    "restrict",
    "save_task_file",
    "score_rows",
    "shrink",
    "stride_of",
    "task_card",
    "unite",
    "write_atomically",
]
