"""`maskjax diff` and `maskjax combine`: two tasks' masks against each other, and put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from maskjax.analysis.dissimilarity import distance_of
from maskjax.analysis.grid import by_block, grid_of, place_of, short_name
from maskjax.cli.saved import refuse_existing
from maskjax.errors import InputError
from maskjax.masking import Difference, compare_masks
from maskjax.taskfile import (
    find_task_file,
    intersect,
    load_task_file,
    restrict,
    save_task_file,
    unite,
)


@dataclass(frozen=True, kw_only=True)
class DiffArguments:
    """Compares the masks of two tasks on one base.

    Shows the dissimilarity: the weights that one keeps and the other drops, as a share of all
    that they keep. By block and kind it is shown as a multiple of what two random masks with as
    many zeros would give, 1 where the two have nothing in common but their sizes.

    Attributes:
        first: A run folder or a task file.
        second: Another one.
        offline: Never ask the network, use only what is stored locally.
    """

    first: Annotated[Path, tyro.conf.Positional]
    second: Annotated[Path, tyro.conf.Positional]
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class CombineArguments:
    """Makes a task file of the masks of others. Head and labels are those of the first.

    Attributes:
        tasks: One or more run folders or task files on one base.
        out: The new task file.
        how: Keep the weights that all of them keep (`and`), or that any keeps (`or`).
        blocks: Keep the mask in these blocks only, first and last, from 0.
        offline: Never ask the network, use only what is stored locally.
    """

    tasks: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    how: Literal["and", "or"] = "and"
    blocks: tuple[int, int] | None = None
    offline: bool = False


def diff_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax diff`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If a task cannot be read, or the two do not fit each other.
    """
    given = tyro.cli(DiffArguments, args=arguments, prog="maskjax diff")
    paths = [find_task_file(path, offline=given.offline) for path in (given.first, given.second)]
    files = [load_task_file(path) for path in paths]
    try:
        differences = compare_masks(files[0].masks, files[1].masks)
    except ValueError as error:
        raise InputError(f"{given.second} does not fit {given.first}: {error}") from error
    if not differences:
        raise InputError(f"{given.first}, {given.second}: expected masks, and they have none.")
    console, total = Console(), distance_of(differences.values())
    console.print(_table(differences))
    line = f"dissimilarity {total.dissimilarity:.4f}, of random masks {total.chance:.4f}"
    console.print(line, highlight=False)
    return 0


def combine_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax combine`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the tasks cannot be read or combined, or the file exists already.
    """
    given = tyro.cli(CombineArguments, args=arguments, prog="maskjax combine")
    if not given.tasks:
        raise InputError("expected at least one run folder or task file.")
    refuse_existing(given.out)
    paths = [find_task_file(path, offline=given.offline) for path in given.tasks]
    first, *others = (load_task_file(path) for path in paths)
    for other in others:
        first = intersect(first, other) if given.how == "and" else unite(first, other)
    if given.blocks:
        low, high = given.blocks
        first = restrict(first, range(low, high + 1))
    size = save_task_file(given.out, first)
    Console().print(f"{given.out}: {size:,} bytes", highlight=False, markup=False)
    return 0


def _table(differences: dict[str, Difference]) -> Table:
    _, kinds = grid_of(differences)
    title = "dissimilarity, times that of random masks"
    table = Table("block", *map(short_name, kinds), "all", title=title, box=SIMPLE_HEAD)
    for block, row in by_block(differences).items():
        table.add_row(block, *_cells(row, kinds))
    table.add_section()
    table.add_row("all", *_cells(differences, kinds))
    return table


def _cells(differences: dict[str, Difference], kinds: list[str]) -> list[str]:
    """One cell a kind, and one for all of them."""
    by_kind = ([d for path, d in differences.items() if place_of(path)[1] == k] for k in kinds)
    return [_cell(found) for found in (*by_kind, list(differences.values()))]


def _cell(differences: list[Difference]) -> str:
    if not differences:
        return ""
    total = distance_of(differences)
    return f"{total.ratio if total.expected else 0:.2f}"
