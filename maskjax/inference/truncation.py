"""Warnings of texts that are longer than what their task reads."""

from collections import defaultdict
from collections.abc import Sequence

from maskjax.inference.preprocess import PreparedRow
from maskjax.progress import warn
from maskjax.tasks import describe_truncated


def warn_of_truncated(rows: Sequence[PreparedRow], longest: int) -> None:
    """Warns, in a line for each task, of rows that are truncated."""
    by_task: dict[str | None, list[PreparedRow]] = defaultdict(list)
    for row in rows:
        by_task[row.task].append(row)
    for name, of_task in by_task.items():
        if cut := sum(row.truncated for row in of_task):
            spec, count = of_task[0].spec, f"{cut:,} of {len(of_task):,}"
            kind = None if name is None else spec.form.kind or "classification"
            lengths = spec.max_length, spec.stride, longest
            warn(f"{spec.name}: {describe_truncated(count, kind, *lengths)}")
