"""`maskjax diff`: two tasks' masks against each other."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from maskjax.cli.show import show
from maskjax.errors import InputError
from maskjax.options import Offline, RunPath

if TYPE_CHECKING:
    from maskjax.masking.packed import Difference


def diff(first: RunPath, second: RunPath, *, offline: Offline = False) -> None:
    """Compares the masks of two tasks on one base.

    Shows the dissimilarity: the weights that one keeps and the other drops, as a share of all
    that they keep. By block and matrix type it is shown as a multiple of what two random masks with
    as many zeros would give, 1 where the two have nothing in common but their sizes.
    """
    from maskjax.analysis.dissimilarity import distance_of
    from maskjax.masking.packed import compare_masks
    from maskjax.taskfile import find_task_file, load_task_file

    paths = [find_task_file(path, offline=offline) for path in (first, second)]
    files = [load_task_file(path) for path in paths]
    try:
        differences = compare_masks(files[0].masks, files[1].masks)
    except ValueError as error:
        raise InputError(f"{second} does not fit {first}: {error}") from error
    if not differences:
        raise InputError(f"{first}, {second}: expected masks, and they have none.")
    total = distance_of(differences.values())
    Console().print(_table(differences))
    show(f"dissimilarity {total.dissimilarity:.4f}, of random masks {total.chance:.4f}")


def _table(differences: "Mapping[str, Difference]") -> Table:
    from maskjax.analysis.heatmap import by_block, grid_of, short_name

    _, types = grid_of(differences)
    title = "dissimilarity, times that of random masks"
    table = Table("block", *map(short_name, types), "all", title=title, box=SIMPLE_HEAD)
    for block, row in by_block(differences).items():
        table.add_row(block, *_table_cells(row, types))
    table.add_section()
    table.add_row("all", *_table_cells(differences, types))
    return table


def _table_cells(differences: "Mapping[str, Difference]", types: Sequence[str]) -> list[str]:
    """One cell per matrix type, and one for all of them."""
    from maskjax.analysis.heatmap import place_of

    by_type = ([d for path, d in differences.items() if place_of(path)[1] == k] for k in types)
    return [_cell(group) for group in (*by_type, list(differences.values()))]


def _cell(differences: "Sequence[Difference]") -> str:
    from maskjax.analysis.dissimilarity import distance_of

    if not differences:
        return ""
    total = distance_of(differences)
    return f"{total.ratio if total.expected else 0:.2f}"
