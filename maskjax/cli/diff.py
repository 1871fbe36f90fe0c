"""`maskjax diff`: two tasks' masks against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from maskjax.analysis.dissimilarity import distance_of
from maskjax.analysis.heatmap import by_block, grid_of, place_of, short_name
from maskjax.errors import InputError
from maskjax.masking.packed import Difference, compare_masks
from maskjax.taskfile import find_task_file, load_task_file


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


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax diff`."""
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
