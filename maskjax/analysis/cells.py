"""Long studies as cells that are computed once: each finished one is a line of a file."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from maskjax.errors import InputError

Key = Mapping[str, Any]
"""What tells a cell from others, JSON values, such as `{"task": "trec", "seed": 0}`."""
Compute = Callable[[Key], Mapping[str, Any]]


def run_cells(
    keys: Iterable[Key], compute: Compute, path: Path, *, console: Console | None = None
) -> list[dict[str, Any]]:
    """Computes the cells that are missing; a study that was stopped goes on when called again.

    Args:
        keys: Of all cells, in the order in which they are computed.
        compute: Gives what is kept of a cell, JSON values.
        path: A file with a line for each finished cell; made if it is missing.
        console: Where to tell of progress and of the time that is left; None tells nobody.

    Returns:
        `{**key, **result}` of every cell, in the order of the keys.

    Raises:
        InputError: If the file is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "cells.jsonl"
        ...     run_cells([{"x": 2}], lambda key: {"y": key["x"] ** 2}, path)
        [{'x': 2, 'y': 4}]
    """
    console = console or Console(quiet=True)
    wanted = list(keys)
    done = {name_of(key): result for key, result in read_cells(path)}
    missing = [key for key in wanted if name_of(key) not in done]
    if len(missing) < len(wanted):
        _tell(console, f"{len(wanted) - len(missing)} of {len(wanted)} cells are there already")
    begun = time.perf_counter()
    for number, key in enumerate(missing, 1):
        done[name_of(key)] = result = dict(compute(key))
        _append(path, key, result)
        left = (time.perf_counter() - begun) / number * (len(missing) - number)
        values = ", ".join(f"{name} {value}" for name, value in key.items())
        _tell(console, f"cell {number} of {len(missing)}: {values}; {left / 60:.0f} min left")
    return [{**key, **done[name_of(key)]} for key in wanted]


def name_of(key: Key) -> str:
    """A cell's key as text, the same for equal keys.

    Args:
        key: The key.

    Returns:
        JSON.
    """
    return json.dumps(key, sort_keys=True)


def read_cells(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The finished cells of a file.

    Args:
        path: As for `run_cells`.

    Returns:
        Key and result of each, in the order in which they were computed; none without the file.

    Raises:
        InputError: If the file is damaged.
    """
    lines = path.read_text(encoding="utf8").splitlines() if path.exists() else []
    cells = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            cells.append((record["key"], record["result"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}, line {number}: expected a finished cell; delete the line, and it is "
                "computed again."
            ) from error
    return cells


def _append(path: Path, key: Key, result: Mapping[str, Any]) -> None:
    """Adds a line in one write, so that two processes can share the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"key": key, "result": result}) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _tell(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
