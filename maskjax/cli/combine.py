"""`maskjax combine`: one task file of the masks of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from maskjax.cli.find import task_paths
from maskjax.cli.saved import refuse_existing
from maskjax.errors import InputError
from maskjax.taskfile import (
    find_task_file,
    intersect,
    load_task_file,
    restrict,
    save_task_file,
    unite,
)


@dataclass(frozen=True, kw_only=True)
class CombineArguments:
    """Makes a task file of the masks of others. Head and labels are those of the first.

    Attributes:
        tasks: Run folders or task files on one base, or folders of them.
        out: The new task file.
        how: Keep the weights that all of them keep (`and`), or that any keeps (`or`).
        blocks: Keep the mask in these blocks only, first and last, from 0.
        offline: Never ask the network, use only what is stored locally.
        overwrite: Replace the file if it exists, once the new one is written whole.
    """

    tasks: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    how: Literal["and", "or"] = "and"
    blocks: tuple[int, int] | None = None
    offline: bool = False
    overwrite: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax combine`."""
    given = tyro.cli(CombineArguments, args=arguments, prog="maskjax combine")
    if not given.tasks:
        raise InputError("expected at least one run folder or task file.")
    refuse_existing(given.out, overwrite=given.overwrite)
    paths = [find_task_file(path, offline=given.offline) for path in task_paths(given.tasks)]
    first, *others = (load_task_file(path) for path in paths)
    for other in others:
        first = intersect(first, other) if given.how == "and" else unite(first, other)
    if given.blocks:
        low, high = given.blocks
        first = restrict(first, range(low, high + 1))
    size = save_task_file(given.out, first)
    Console().print(f"{given.out}: {size:,} bytes", highlight=False, markup=False)
    return 0
