"""Long studies as jobs that are computed once: each finished one is a line of a file."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from maskjax.analysis.captions import rows_text
from maskjax.analysis.figures import Frame
from maskjax.config import parse_json
from maskjax.errors import InputError

if TYPE_CHECKING:
    from maskjax.analysis.runs import Run

Key = Mapping[str, Any]
"""The key of a job, JSON values, such as `{"task": "trec", "seed": 0}`."""
Compute = Callable[[Key], Mapping[str, Any]]


def run_jobs(
    keys: Iterable[Key], compute: Compute, path: Path, *, console: Console | None = None
) -> list[dict[str, Any]]:
    """Computes the missing jobs, so that a study that was stopped resumes.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "jobs.jsonl"
        ...     run_jobs([{"x": 2}], lambda key: {"y": key["x"] ** 2}, path)
        [{'x': 2, 'y': 4}]
    """
    console = console or Console(quiet=True)
    wanted = list(keys)
    done = {name_of(key): result for key, result in read_jobs(path)}
    missing = [key for key in wanted if name_of(key) not in done]
    if len(missing) < len(wanted):
        _print(console, f"{len(wanted) - len(missing)} of {len(wanted)} jobs are finished already")
    begun = time.perf_counter()
    for number, key in enumerate(missing, 1):
        done[name_of(key)] = result = dict(compute(key))
        _append(path, key, result)
        left = (time.perf_counter() - begun) / number * (len(missing) - number)
        values = ", ".join(f"{name} {value}" for name, value in key.items())
        _print(console, f"job {number} of {len(missing)}: {values}; {left / 60:.0f} min left")
    return [{**key, **done[name_of(key)]} for key in wanted]


def compare_conditions(
    runs: Sequence["Run"],
    conditions: Callable[["Run"], Iterable[str]],
    compute: Callable[["Run", str], Mapping[str, Any]],
    path: Path,
    console: Console,
    *,
    name: str,
    split: str | None,
    rows: int | None,
) -> Frame:
    """Evaluates every run under several conditions, a job and a row of the result for each.

    `name` is the column of the condition.
    """
    from pandas import DataFrame

    by_name = {run.name: run for run in runs}
    keys = [
        {"run": run.name, "digest": run.digest, name: condition, "split": split, "rows": rows}
        for run in runs
        for condition in conditions(run)
    ]
    text = f"{len(keys)} evaluations on {rows_text(split, rows)} of a task"
    _print(console, f"{text}; the first one shows how long")
    jobs = run_jobs(
        keys, lambda key: compute(by_name[key["run"]], key[name]), path, console=console
    )
    return DataFrame(jobs)


def name_of(key: Key) -> str:
    """A job's key as text, the same for equal keys."""
    return json.dumps(key, sort_keys=True)


def read_jobs(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The finished jobs of a file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    jobs = []
    for number, line in enumerate(lines, 1):
        remedy = "delete the line, and it is computed again"
        record = parse_json(line, f"{path} line {number}", remedy)
        if not isinstance(record, dict) or not {"key", "result"} <= record.keys():
            raise InputError(f"{path} line {number}: expected a finished job; {remedy}.")
        jobs.append((record["key"], record["result"]))
    return jobs


def _append(path: Path, key: Key, result: Mapping[str, Any]) -> None:
    """Adds a line in one write, so that two processes can share the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"key": key, "result": result}) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
