"""`maskjax tasks`: the tasks that are known by name."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.table import Table

from maskjax.cli.show import show
from maskjax.errors import InputError, suggest

if TYPE_CHECKING:
    from maskjax.tasks import Columns, Entry

NOTE = (
    "maskjax tasks NAME shows one of them. Every task also reads a folder, --task.path FOLDER; any "
    "other --task.name is taken for a data set on the Hub. * has not been tried on the live Hub."
)


def tasks(name: Annotated[str | None, tyro.conf.Positional] = None) -> None:
    """Lists the tasks that are known by name, for --task.name.

    Args:
        name: One of them: its columns, splits and license.
    """
    from maskjax.tasks import REGISTRY

    if name is None:
        Console().print(_overview(REGISTRY))
    elif name in REGISTRY:
        for line in _details(name, REGISTRY[name]):
            show(line)
    else:
        raise InputError(f"no task {name!r}; {suggest(name, list(REGISTRY))}")


def _overview(registry: "Mapping[str, Entry]") -> Table:
    table = Table("task", "kind", "metric", "rows", caption=NOTE)
    for name, entry in registry.items():
        untried = "" if entry.tried or entry.hub is None else " *"
        table.add_row(name, entry.kind, _metric(entry), _source(name, entry) + untried)
    return table


def _details(name: str, entry: "Entry") -> Iterator[str]:
    place = ", ".join(part for part in (entry.subset, entry.revision) if part)
    yield f"task      {name}: {entry.kind}, scored by {_metric(entry)}"
    if entry.question:
        yield f"question  {entry.question}"
    yield f"rows      {_source(name, entry)}{f' ({place})' if place else ''}"
    yield f"splits    {', '.join(f'{ours} = {theirs}' for ours, theirs in entry.splits.items())}"
    yield from (f"columns   {_spell(columns)}" for columns in entry.columns)
    yield f"license   {entry.license}"
    yield f"tried     {'yes' if entry.tried else 'not yet on the live Hub'}"


def _metric(entry: "Entry") -> str:
    from maskjax.tasks import METRICS_OF

    return entry.metric or METRICS_OF[entry.kind][0]


def _source(name: str, entry: "Entry") -> str:
    built_in = name.startswith("docstrings/")
    return entry.hub or ("built in" if built_in else "a local folder only")


def _spell(columns: "Columns") -> str:
    return f"{', '.join((*columns.text, *columns.choices))}; label {columns.label}"
