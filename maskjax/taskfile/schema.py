"""The schema of the JSON header of a task file; later code relies on its checks."""

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, get_args

from maskjax.errors import InputError
from maskjax.models import TaskType
from maskjax.taskfile.fields import (
    integer,
    list_problems,
    mapping,
    name,
    nullable,
    number,
    one_of,
    preview,
    record,
    sequence,
    text,
)
from maskjax.taskfile.limits import MAX_COLUMNS, MAX_LABELS, MAX_LENGTH
from maskjax.tasks.build_task import METRICS_OF

FORMAT = 2
READABLE = (1, 2)
FEATURES = frozenset({"stride"})
"""The features in `needs` that this version supports."""
POLARITY = "1 keeps, 0 drops"

_NAME = name()
_COLUMNS = sequence(text(minimum=1), MAX_COLUMNS)
DIGEST = text(pattern="[0-9a-f]{16}", form="16 hexadecimal digits")
_TASK = record(
    {
        "name": _NAME,
        "kind": one_of(*get_args(TaskType)),
        "labels": sequence(text(), MAX_LABELS),
        "metric": _NAME,
        "text": _COLUMNS,
    },
    {"label": text(), "choices": _COLUMNS, "positive": nullable(text())},
)
SCHEMA = record(
    {
        "maskjax": _NAME,
        "task": _TASK,
        "base": record({"name": _NAME, "revision": nullable(_NAME), "digest": DIGEST}),
        "tokenizer": record({"name": _NAME, "max_length": integer(1, MAX_LENGTH)}),
        "mask": record(
            {
                "polarity": one_of(POLARITY),
                "threshold": number(),
                "rules": sequence(text(10_000), MAX_COLUMNS),
            }
        ),
        "scores": mapping(number(), MAX_COLUMNS),
        "config": record(
            {"adaptation": record({"method": _NAME})},
            {"task": record({}, {"stride": nullable(integer(0, MAX_LENGTH))})},
        ),
    },
    {"needs": sequence(_NAME, MAX_COLUMNS), "digest_format": one_of(1, 2)},
)


def check_format(header: Mapping[str, Any], file: str) -> int:
    """Reads the format of a header."""
    format_ = header.get("format")
    if type(format_) is not int or format_ not in READABLE:
        raise InputError(
            f"{file}: expected format {READABLE[0]} to {READABLE[-1]}, got {preview(format_)};"
            f" upgrade maskjax {version('maskjax')} to a version that reads it."
        )
    return format_


def check_header(header: Mapping[str, Any], file: str) -> None:
    """Checks types and ranges of a header."""
    problems = list_problems(SCHEMA(header, ""))
    if not problems:
        problems = list_problems(_problems_of_task(header["task"]))
    if not problems and (unknown := sorted({*header.get("needs", ())} - FEATURES)):
        problems = f"needs {preview(unknown[0])}, which maskjax {version('maskjax')} does not have"
    if problems:
        raise InputError(f"{file}: not a task file that can be used: {problems}.")
    try:
        json.dumps(header, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise InputError(
            f"{file}: not a task file that can be used: its header has a number that is not "
            "finite or text that is no Unicode."
        ) from error


def _problems_of_task(task: Mapping[str, Any]) -> Iterator[str]:
    """Yields inconsistencies between the values of a task, on whose absence predictors rely."""
    kind, labels, choices = task["kind"], task["labels"], task.get("choices", [])
    if task["metric"] not in METRICS_OF[kind]:
        metrics = ", ".join(METRICS_OF[kind])
        yield f"task.metric: expected one of {metrics} for {kind}, got {preview(task['metric'])}"
    if task.get("positive") not in (None, *labels):
        yield f"task.positive: expected one of the labels, got {preview(task['positive'])}"
    if not task["text"]:
        yield "task.text: expected at least one column"
    if (kind == "regression") == bool(labels):
        yield f"task.labels: {len(labels):,} do not fit the kind {kind}"
    if len(set(labels)) < len(labels):
        yield "task.labels: expected different names"
    if choices and kind != "choice":
        yield f"task.choices: expected none for {kind}"
    if choices and len(choices) != len(labels):
        yield f"task.choices: expected one per label, got {len(choices)} and {len(labels)} labels"
