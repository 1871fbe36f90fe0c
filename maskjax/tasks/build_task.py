"""The definition of a task from its settings and training rows."""

from collections.abc import Iterator
from pathlib import Path

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.models.config import TaskType
from maskjax.tasks.ner_metrics import ENTITY_METRICS, tag_parts
from maskjax.tasks.readers import Table
from maskjax.tasks.registry import WORDS, lookup
from maskjax.tasks.spec import Columns
from maskjax.tasks.spelling import LabelIndex
from maskjax.tasks.task import Task
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates
from maskjax.tasks.validation import label_names

# The first is the default.
METRICS_OF: dict[TaskType, tuple[str, ...]] = {
    "classification": ("accuracy", "f1", "matthews", "macro_recall"),
    "regression": ("pearson", "spearman"),
    "tokens": ("accuracy", *ENTITY_METRICS),
    "choice": ("accuracy",),
}


def define_task(config: TaskConfig, train: Table) -> Task:
    """Completes the settings with the registry and the training rows.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"sentence": ["Good.", "Bad."], "label": ["1", "0"]})
        >>> config = TaskConfig(name="glue/cola", path="cola")
        >>> define_task(config, Table("train.tsv", rows)).metric
        'matthews'
    """
    entry = lookup(config.name)
    kind = config.kind or entry.kind
    columns = find_columns(config, train)
    labels = config.labels
    if kind != "regression" and not labels:
        labels = label_names(train, columns.label, kind)
    metric = config.metric or (entry.metric if kind == entry.kind else None) or METRICS_OF[kind][0]
    positive = config.positive
    if metric == "f1" and len(labels) == 2:
        positive_id = LabelIndex(labels).find(positive) if positive else 1
        positive = positive if positive_id is None else labels[positive_id]
    task = Task(
        name=task_name(config),
        kind=kind,
        text=columns.text,
        label=columns.label,
        labels=labels,
        choices=columns.choices,
        metric=metric,
        positive=positive,
    )
    for problem in _problems(task):
        raise InputError(problem)
    return task


def find_columns(config: TaskConfig, table: Table) -> Columns:
    """Finds which of a task's published forms a table has.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"question": ["Who?"], "coarse": ["HUM"]})
        >>> find_columns(TaskConfig(name="trec", path="trec"), Table("train.tsv", rows)).label
        'coarse'
    """
    entry = lookup(config.name)
    kind = config.kind or entry.kind
    forms = entry.columns if kind == entry.kind or kind != "tokens" else WORDS
    options = [
        Columns(
            config.text or form.text,
            config.label or form.label,
            config.choices or (form.choices if kind == "choice" else ()),
        )
        for form in forms
    ]
    return min(options, key=lambda columns: _count_missing(columns, table))


def columns_of(task: Task, config: TaskConfig, table: Table) -> Columns:
    """Finds the columns of a trained task in other rows."""
    trained = Columns(task.text, task.label, task.choices)
    return min(
        (trained, find_columns(config, table)), key=lambda columns: _count_missing(columns, table)
    )


def _count_missing(columns: Columns, table: Table) -> int:
    names = (*columns.text, *columns.choices, columns.label)
    return sum(table.column(name) is None for name in names)


def task_name(config: TaskConfig) -> str:
    """The name of the task that the settings will define."""
    if config.path is not None and config.name.startswith("docstrings/"):
        path = Path(config.path).resolve()  # its rows are not those of docstrings
        return path.stem if path.is_file() else path.name
    # A data set in a local folder is stored under its path.
    return Path(config.name).name if Path(config.name).is_absolute() else config.name


def _problems(task: Task) -> Iterator[str]:
    """Yields a message for each setting that does not fit the others."""
    if task.metric not in METRICS_OF[task.kind]:
        metrics = ", ".join(METRICS_OF[task.kind])
        yield f"--task.metric: expected one of {metrics} for {task.kind}, got {task.metric}."
    if task.kind == "regression" and task.labels:
        yield "--task.labels: expected no label names for regression."
    if len(set(task.labels)) < len(task.labels):
        yield f"--task.labels: expected different names, got {', '.join(task.labels)}."
    for label in filter(has_surrogates, task.labels):
        yield f"--task.labels: {NOT_UNICODE} in {label!r}."
    yield from _problems_of_f1(task)
    if task.kind == "tokens" and len(task.text) != 1:
        yield f"--task.text: expected one column of words, got {', '.join(task.text)}."
    yield from _problems_of_choices(task)
    if task.metric in ENTITY_METRICS:
        invalid = [label for label in task.labels if tag_parts(label) is None]
        if invalid:
            yield (
                f"--task.metric: {task.metric} is of the labels O, B-TYPE and I-TYPE, task"
                f" {task.name} has {invalid[0]!r}; choose accuracy."
            )


def _problems_of_f1(task: Task) -> Iterator[str]:
    if task.metric == "f1" and len(task.labels) != 2:
        yield (
            f"--task.metric: f1 is of two labels, task {task.name} has {len(task.labels)};"
            " choose accuracy or macro_recall."
        )
    elif task.metric == "f1" and task.positive not in task.labels:
        yield (
            f"--task.positive: expected one of the labels {', '.join(task.labels)}, got"
            f" {task.positive!r}."
        )
    elif task.metric != "f1" and task.positive is not None:
        yield (
            f"--task.positive: only f1 has a positive class, task {task.name} is scored by"
            f" {task.metric}; set --task.metric f1."
        )


def _problems_of_choices(task: Task) -> Iterator[str]:
    if task.kind != "choice" and task.choices:
        yield f"--task.choices: expected none for {task.kind}; set --task.kind choice."
    elif task.kind == "choice" and len(task.choices) < 2:
        yield (
            f"--task.choices: expected the columns of two or more texts to choose from, got"
            f" {', '.join(task.choices) or 'none'}."
        )
    elif task.kind == "choice" and len(task.labels) != len(task.choices):
        yield (
            f"--task.labels: expected one name for each of the {len(task.choices)} choices of task"
            f" {task.name}, in their order, got {', '.join(task.labels)}."
        )
