"""Saved masks: the one small file that turns a base model into a task."""

from maskjax.taskfile.atomic import write_atomically
from maskjax.taskfile.taskfile import TaskFile, load_task_file, mask_bytes, save_task_file

__all__ = ["TaskFile", "load_task_file", "mask_bytes", "save_task_file", "write_atomically"]
