"""What commands print: progress on standard error, results on standard output."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskjax.errors import visible
from maskjax.progress import Progress, encodable


def show_progress() -> Progress:
    """What the work inside a `with` block is shown on."""
    return Progress(Console(stderr=True))


def show(text: str, *, stderr: bool = False) -> None:
    """Prints a line as it is, whatever the width of the terminal."""
    Console(stderr=stderr).print(text, highlight=False, markup=False, soft_wrap=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", names: int = 1
) -> None:
    """Prints a table on standard output, as wide as it needs to be unless that is a terminal."""
    table, console = Table(), Console()
    for place, header in enumerate(columns):
        justify = "left" if place < names else "right"
        table.add_column(_cell(header, console.encoding), justify=justify)
    for cells in rows:
        table.add_row(*(_cell(text, console.encoding) for text in cells))
    if title:
        show(title)
    if not console.is_terminal:
        options = console.options.update(max_width=10_000)
        console.width = max(console.width, table.__rich_measure__(console, options).maximum)
    console.print(table)


def _cell(text: str, encoding: str) -> Text:
    return Text(encodable(visible(text), encoding))
