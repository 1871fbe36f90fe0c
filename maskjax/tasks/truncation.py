"""Notes on texts that are longer than what a task reads."""

from collections.abc import Mapping

from maskjax.models.config import TaskType
from maskjax.tasks.encoded import Encoded


def note_on_truncated(
    splits: Mapping[str, Encoded], kind: TaskType, max_length: int, stride: int | None, longest: int
) -> str:
    """Says how many rows of splits are truncated, and how to have them read; empty if none is.

    Example:
        >>> import numpy as np
        >>> from maskjax.tasks import Ragged
        >>> ids = Ragged.from_rows([[7] * 8] * 3)
        >>> encoded = Encoded(ids, ids, np.zeros(3, np.int32), truncated_rows=np.array([0, 2]))
        >>> note_on_truncated({"dev": encoded}, "classification", 8, None, 8)
        '2 of 3 dev texts are longer than 8 tokens and are cut; to read all of them, train with \
--task.stride 2'
    """
    counts = {name: (split.truncated, split.rows) for name, split in splits.items()}
    parts = [f"{cut:,} of {rows:,} {name}".rstrip() for name, (cut, rows) in counts.items() if cut]
    if not parts:
        return ""
    return describe_truncated(" and ".join(parts), kind, max_length, stride, longest)


def describe_truncated(
    count: str, kind: TaskType | None, max_length: int, stride: int | None, longest: int
) -> str:
    """Says that so many texts are truncated, and how to have them read; None is the base."""
    ways = []
    if kind is not None and max_length < longest:
        ways.append(f"--task.max-length up to {longest:,}")
    if kind not in (None, "choice") and stride is None:
        ways.append(f"--task.stride {max_length // 4}")
    remedy = f"to read all of them, train with {' or '.join(ways)}" if ways else "shorten them"
    return f"{count} texts are longer than {max_length:,} tokens and are cut; {remedy}"
