"""`maskjax tasks`: the tasks that are known by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import tyro
from rich.console import Console
from rich.table import Table

from maskjax.tasks import METRICS_OF, REGISTRY, Entry

NOTE = (
    "Tried: the Hub id has been loaded from the live Hub. Every task also reads a local folder, "
    "--task.path FOLDER; any other --task.name is taken for a data set on the Hub."
)


@dataclass(frozen=True, kw_only=True)
class TasksArguments:
    """Lists the tasks that are known by name, for --task.name."""


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax tasks`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.
    """
    tyro.cli(TasksArguments, args=arguments, prog="maskjax tasks")
    table = Table("task", "kind", "columns", "metric", "splits", "licence", "Hub", "tried")
    for name, entry in REGISTRY.items():
        table.add_row(name, *_cells(name, entry))
    table.caption = NOTE
    Console().print(table)
    return 0


def _cells(name: str, entry: Entry) -> tuple[str, ...]:
    columns = " ".join((*entry.text, *entry.choices, "->", entry.label))
    built_in = name.startswith("docstrings/")
    hub = ":".join(part for part in (entry.hub, entry.subset, entry.revision) if part)
    return (
        entry.kind,
        columns,
        entry.metric or METRICS_OF[entry.kind][0],
        " ".join(entry.splits),
        entry.licence,
        hub or ("built in" if built_in else "local files only"),
        "yes" if entry.tried else "no",
    )
