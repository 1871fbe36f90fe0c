"""From the settings of a task to its definition."""

from pathlib import Path

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks.registry import lookup
from maskjax.tasks.rows import label_names
from maskjax.tasks.tables import Table
from maskjax.tasks.task import Kind, Task

# The first is the default.
METRICS_OF: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "f1", "matthews"),
    "regression": ("pearson", "spearman"),
}


def define_task(config: TaskConfig, train: Table) -> Task:
    """Fills in from the registry and the training rows what the settings leave open.

    Args:
        config: The settings of the task.
        train: The training rows; label names are looked for in all of them, whichever are used.

    Returns:
        The task.

    Raises:
        InputError: If the label column is missing, or if kind, labels and metric do not fit.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"sentence": ["Good.", "Bad."], "label": ["1", "0"]})
        >>> config = TaskConfig(name="glue/cola", path="cola")
        >>> define_task(config, Table("train.tsv", rows)).metric
        'matthews'
    """
    entry = lookup(config.name)
    kind = config.kind or entry.kind
    label = config.label or entry.label
    labels = config.labels
    if kind == "classification" and not labels:
        labels = label_names(train, label)
    metric = config.metric or (entry.metric if kind == entry.kind else None) or METRICS_OF[kind][0]
    task = Task(
        name=_name(config),
        kind=kind,
        text=config.text or entry.text,
        label=label,
        labels=labels,
        metric=metric,
    )
    _check_task(task)
    return task


def _name(config: TaskConfig) -> str:
    if config.path is not None and lookup(config.name).hub is None:
        return Path(config.path).resolve().name  # rows of a folder are not those of docstrings
    return config.name


def _check_task(task: Task) -> None:
    if task.metric not in METRICS_OF[task.kind]:
        metrics = ", ".join(METRICS_OF[task.kind])
        raise InputError(
            f"--task.metric: expected one of {metrics} for {task.kind}, got {task.metric}."
        )
    if task.kind == "regression" and task.labels:
        raise InputError("--task.labels: expected no label names for regression.")
    if len(set(task.labels)) < len(task.labels):
        raise InputError(f"--task.labels: expected different names, got {', '.join(task.labels)}.")
    if task.metric == "f1" and len(task.labels) != 2:
        raise InputError(
            f"--task.metric: f1 is of two labels, task {task.name} has {len(task.labels)};"
            " choose accuracy."
        )
