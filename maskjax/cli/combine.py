"""`maskjax combine`: one task file of the masks of others."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from maskjax.cli.common import refuse_existing
from maskjax.cli.show import show
from maskjax.errors import InputError
from maskjax.options import Offline, Overwrite


def combine(
    tasks: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    out: Path,
    how: Literal["and", "or"] = "and",
    blocks: tuple[int, int] | None = None,
    offline: Offline = False,
    overwrite: Overwrite = False,
) -> None:
    """Makes a task file of the masks of others. Head and labels are those of the first.

    Args:
        tasks: Run folders or task files on one base, or folders of them.
        out: The new task file.
        how: Keep the weights that all of them keep (`and`), or that any keeps (`or`).
        blocks: Keep the mask in these blocks only, first and last, from 0.
    """
    from maskjax.analysis.runs import task_paths
    from maskjax.taskfile import (
        find_task_file,
        intersect,
        load_task_file,
        restrict,
        save_task_file,
        unite,
    )

    if not tasks:
        raise InputError("expected at least one run folder or task file.")
    refuse_existing(out, overwrite=overwrite)
    paths = [find_task_file(path, offline=offline) for path in task_paths(tasks)]
    first, *others = (load_task_file(path) for path in paths)
    for other in others:
        first = intersect(first, other) if how == "and" else unite(first, other)
    if blocks:
        low, high = blocks
        first = restrict(first, range(low, high + 1))
    show(f"{out}: {save_task_file(out, first):,} bytes")
