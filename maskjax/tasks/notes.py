"""Notes on the rows of a task that affect how far its scores can be trusted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from maskjax.config import TaskConfig
from maskjax.tasks.build_task import METRICS_OF
from maskjax.tasks.ner_metrics import ENTITY_METRICS, count_orphans, tag_parts
from maskjax.tasks.readers import Table
from maskjax.tasks.spelling import are_fractions, class_key, is_ignored, spell
from maskjax.tasks.task import IGNORED, Split, Task, labeled_words
from maskjax.tasks.texts import as_list

IMBALANCE = 0.95
"""The share of one class beyond which accuracy says little."""


def notes_on_rows(
    task: Task, config: TaskConfig, train: Table, splits: Mapping[str, Split]
) -> Iterator[str]:
    """Describes oddities of rows that are no errors."""
    rows = len(train.frame)
    if config.train_rows is not None and config.train_rows > rows:
        yield f"--task.train-rows asks for {config.train_rows:,} rows, all {rows:,} are used"
    yield from _same_columns(task, train)
    if task.kind == "classification" and not config.labels and are_fractions(task.labels):
        yield (
            f"the {len(task.labels)} labels are numbers such as {_fraction(task.labels)}, and each"
            " is a class of its own; --task.kind regression predicts numbers"
        )
    if task.kind == "classification" and not config.labels:
        yield from _classes_by_convention(task)
    yield from _shared_rows(splits)
    if task.metric == "accuracy":
        yield from _imbalance(task, splits)
    if task.metric == "f1" and config.positive is None:
        yield (
            f"f1 is of the label {task.positive!r}, the second of {', '.join(task.labels)};"
            " --task.positive names another"
        )
    if task.kind == "tokens":
        yield from _ignored_words(splits)
    if task.metric in ENTITY_METRICS:
        yield from _orphans(task, splits)


def _fraction(labels: Sequence[str]) -> str:
    return next(label for label in labels if are_fractions((label,)))


def note_on_eval_rows(name: str, drawn: Split, split: Split) -> tuple[str, ...]:
    """A note if not all rows of a split are scored."""
    num_scored, rows = len(drawn.texts), len(split.texts)
    if num_scored == rows:
        return ()
    return (f"split {name}: {num_scored:,} of {rows:,} rows are scored (--task.eval-rows)",)


def note_on_unlabeled_rows(name: str, labeled: np.ndarray) -> tuple[str, ...]:
    """A note if rows of a split are left out because they have no label; bool [rows]."""
    num_unlabeled = len(labeled) - int(labeled.sum())
    if not num_unlabeled:
        return ()
    return (
        f"split {name}: {num_unlabeled:,} of {len(labeled):,} rows have no label and are left out",
    )


def _same_columns(task: Task, train: Table) -> Iterator[str]:
    for text in (*task.text, *task.choices):
        if text in (task.label, *task.label.split(":")):
            yield f"column {text!r} is both text and label"
        elif _are_equal(train, text, task.label):
            yield f"column {text!r}, which is read as text, is the same as the labels"


def _are_equal(table: Table, text_column: str, label_column: str) -> bool:
    texts, labels = table.column(text_column), table.column(label_column)
    if texts is None or labels is None:
        return False
    pairs = zip(texts.tolist(), labels.tolist(), strict=True)
    return all(_spell_cell(text) == _spell_cell(label) for text, label in pairs)


def _spell_cell(cell: Any) -> list[str]:
    return [spell(item) for item in as_list(cell) or [cell]]


def _classes_by_convention(task: Task) -> Iterator[str]:
    """Notes on classes whose names often mark rows without a class."""
    for label in task.labels:
        if is_ignored(label):
            yield (
                f"{label} is taken as a class; it is the index that PyTorch ignores, so delete its"
                " rows if they have no class"
            )
    numbers = {*map(class_key, task.labels)}
    if len(numbers) > 2 and numbers == {str(number) for number in range(-1, len(numbers) - 1)}:
        yield "-1 is taken as a class; delete its rows if it marks withheld labels"


def _shared_rows(splits: Mapping[str, Split]) -> Iterator[str]:
    train_texts = {_content(texts) for texts in splits["train"].texts}
    for name, split in splits.items():
        shared = sum(_content(texts) in train_texts for texts in split.texts)
        if name != "train" and shared:
            yield (
                f"split {name}: {shared:,} of {len(split.texts):,} rows have the texts of training"
                " rows, so that its score is too good"
            )


def _content(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts)


def _imbalance(task: Task, splits: Mapping[str, Split]) -> Iterator[str]:
    dominant = []
    for name, split in splits.items():
        counts = np.bincount(split.labels[split.labels >= 0], minlength=len(task.labels))
        share = counts.max() / max(counts.sum(), 1)
        if share > IMBALANCE:
            dominant.append(f"{100 * share:.1f} % {task.labels[counts.argmax()]!r} in {name}")
    if dominant:
        alternatives = _alternative_metrics(task)
        remedy = f"; consider --task.metric {' or '.join(alternatives)}" if alternatives else ""
        yield f"accuracy rewards always predicting one label: {', '.join(dominant)}{remedy}"


def _alternative_metrics(task: Task) -> list[str]:
    """The metrics besides accuracy that fit a task's labels."""
    metrics = [metric for metric in METRICS_OF[task.kind] if metric != "accuracy"]
    if task.kind == "tokens" and None in map(tag_parts, task.labels):
        return []
    return [metric for metric in metrics if metric != "f1" or len(task.labels) == 2]


def _ignored_words(splits: Mapping[str, Split]) -> Iterator[str]:
    for name, split in splits.items():
        ignored = int((split.labels == IGNORED).sum())
        if ignored:
            yield (
                f"split {name}: {ignored:,} of {len(split.labels):,} words have the label"
                f" {IGNORED}, which counts in neither loss nor metric"
            )


def _orphans(task: Task, splits: Mapping[str, Split]) -> Iterator[str]:
    for name, split in splits.items():
        scored, sizes = labeled_words(split.labels, split.sizes)
        tags = [task.labels[label] for label in split.labels[scored]]
        orphans = count_orphans(tags, split.sizes if sizes is None else sizes)
        if orphans:
            yield (
                f"split {name}: {orphans:,} entities begin with I- instead of B-; entity_f1 reads"
                " them as B-, entity_f1_strict as no entities"
            )
