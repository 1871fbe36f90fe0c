"""`maskjax tasks`: the tasks that are known by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from maskjax.errors import InputError, suggest
from maskjax.tasks import METRICS_OF, REGISTRY, Columns, Entry

NOTE = (
    "maskjax tasks NAME shows one of them. Every task also reads a folder, --task.path FOLDER; any "
    "other --task.name is taken for a data set on the Hub. * has not been tried on the live Hub."
)


@dataclass(frozen=True, kw_only=True)
class TasksArguments:
    """Lists the tasks that are known by name, for --task.name.

    Attributes:
        name: One of them: its columns, splits and license.
    """

    name: Annotated[str | None, tyro.conf.Positional] = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax tasks`."""
    given = tyro.cli(TasksArguments, args=arguments, prog="maskjax tasks")
    console = Console()
    if given.name is None:
        console.print(_overview())
        return 0
    if given.name not in REGISTRY:
        raise InputError(f"no task {given.name!r}; {suggest(given.name, list(REGISTRY))}")
    for line in _details(given.name, REGISTRY[given.name]):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _overview() -> Table:
    table = Table("task", "kind", "metric", "rows", caption=NOTE)
    for name, entry in REGISTRY.items():
        untried = "" if entry.tried or entry.hub is None else " *"
        table.add_row(name, entry.kind, _metric(entry), _source(name, entry) + untried)
    return table


def _details(name: str, entry: Entry) -> Iterator[str]:
    place = ", ".join(part for part in (entry.subset, entry.revision) if part)
    yield f"task      {name}: {entry.kind}, scored by {_metric(entry)}"
    if entry.question:
        yield f"question  {entry.question}"
    yield f"rows      {_source(name, entry)}{f' ({place})' if place else ''}"
    yield f"splits    {', '.join(f'{ours} = {theirs}' for ours, theirs in entry.splits.items())}"
    yield from (f"columns   {_spell(columns)}" for columns in entry.columns)
    yield f"license   {entry.license}"
    yield f"tried     {'yes' if entry.tried else 'not yet on the live Hub'}"


def _metric(entry: Entry) -> str:
    return entry.metric or METRICS_OF[entry.kind][0]


def _source(name: str, entry: Entry) -> str:
    built_in = name.startswith("docstrings/")
    return entry.hub or ("built in" if built_in else "a local folder only")


def _spell(columns: Columns) -> str:
    return f"{', '.join((*columns.text, *columns.choices))}; label {columns.label}"
