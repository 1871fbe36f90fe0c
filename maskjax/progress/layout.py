"""The layout of a line: all required parts, and the others as far as they fit."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

BEFORE_TITLE = 2
"""Numbers that are more important than the title."""
TITLE = range(8, 25)
"""Columns of a title; a longer one is cut."""
BAR = range(6, 21)
"""Columns of the bar, which fills the remaining space."""
GAP = "  "


def fit_line(
    width: int, title: str, required: Sequence[str], numbers: Sequence[str], share: float | None
) -> str:
    """Lays out a line of progress.

    Example:
        >>> fit_line(45, "mask toy", ["step 5/10", "0:01:00 left"], ["loss 0.5", "best 0.9"], 0.5)
        'step 5/10  0:01:00 left  loss 0.5  best 0.9'
        >>> fit_line(62, "mask toy", ["step 5/10", "0:01:00 left"], ["loss 0.5", "best 0.9"], 0.5)
        'mask toy  ━━━━───  step 5/10  0:01:00 left  loss 0.5  best 0.9'
    """
    room = width + len(GAP) - _columns(required)  # there is no gap after the last part
    shown, room = _take(numbers[:BEFORE_TITLE], room)
    title = _cut(title, room - len(GAP))
    room -= _columns([title])
    if len(shown) == len(numbers[:BEFORE_TITLE]):
        extra, room = _take(numbers[BEFORE_TITLE:], room)
        shown = [*shown, *extra]
    bar = _bar(room - len(GAP), share)
    line = GAP.join(part for part in (title, bar, *required, *shown) if part)
    return line if cell_len(line) <= width else set_cell_size(line, width)


def _columns(parts: Sequence[str]) -> int:
    """The columns of parts, with the gap after each."""
    return sum(cell_len(part) + len(GAP) for part in parts if part)


def _take(parts: Sequence[str], room: int) -> tuple[list[str], int]:
    """The first parts that fit, and the remaining columns."""
    fitting = []
    for part in parts:
        if _columns([part]) > room:
            break
        fitting.append(part)
        room -= _columns([part])
    return fitting, room


def _cut(title: str, room: int) -> str:
    room = min(room, TITLE.stop - 1)
    if cell_len(title) <= room:
        return title
    return f"{set_cell_size(title, room - 1).rstrip()}…" if room >= TITLE.start else ""


def _bar(room: int, share: float | None) -> str:
    if share is None or room < BAR.start:
        return ""
    columns = min(room, BAR.stop - 1)
    filled = round(columns * min(max(share, 0.0), 1.0))
    return "━" * filled + "─" * (columns - filled)
