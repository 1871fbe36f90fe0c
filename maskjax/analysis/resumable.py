"""Long studies as cells that are computed once: each finished one is a line of a file."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from maskjax.config import parse_json
from maskjax.errors import InputError

Key = Mapping[str, Any]
"""The key of a cell, JSON values, such as `{"task": "trec", "seed": 0}`."""
Compute = Callable[[Key], Mapping[str, Any]]


def run_cells(
    keys: Iterable[Key], compute: Compute, path: Path, *, console: Console | None = None
) -> list[dict[str, Any]]:
    """Computes the missing cells, so that a study that was stopped resumes.

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
    """A cell's key as text, the same for equal keys."""
    return json.dumps(key, sort_keys=True)


def read_cells(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The finished cells of a file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    cells = []
    for number, line in enumerate(lines, 1):
        remedy = "delete the line, and it is computed again"
        record = parse_json(line, f"{path} line {number}", remedy)
        if not isinstance(record, dict) or not {"key", "result"} <= record.keys():
            raise InputError(f"{path} line {number}: expected a finished cell; {remedy}.")
        cells.append((record["key"], record["result"]))
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
