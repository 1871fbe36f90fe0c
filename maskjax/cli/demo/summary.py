"""The results of the demo: a table, sentences, and what to run next."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from rich.box import SIMPLE_HEAD
from rich.table import Table

from maskjax.adaptation import Mask
from maskjax.cli.demo.comparison import Comparison
from maskjax.cli.demo.examples import Example
from maskjax.cli.demo.settings import DemoSettings
from maskjax.inference import SavedRun
from maskjax.taskfile import TASK_FILE, load_task_file
from maskjax.taskfile.sizes import mask_bytes
from maskjax.tasks.registry import lookup

MANY = 100
"""Tasks on one base whose memory is computed."""


class Memory(NamedTuple):
    """Bytes in memory."""

    base: int
    mask: int  # what a mask adds: one bit per masked weight, and the head
    finetuned: int


def score_table(comparisons: Sequence[Comparison]) -> Table:
    """Lists the scores and sizes of all methods."""
    table = Table("task", "method", "score", "task file", "seconds", box=SIMPLE_HEAD)
    for column in table.columns[2:]:
        column.justify = "right"
    for comparison in comparisons:
        name = comparison.task
        for baseline, score in comparison.baselines.items():
            table.add_row(name, baseline, f"{100 * score:.1f}", "", "")
            name = ""
        for method, run in (("mask", comparison.mask), ("finetuning", comparison.finetune)):
            score = f"{100 * run.scores[comparison.split]:.1f}"
            table.add_row(name, method, score, megabytes(run.task_bytes), f"{run.seconds:.0f}")
            name = ""
        table.add_section()
    return table


def sentences(
    comparisons: Sequence[Comparison], memory: Memory, pictures: Sequence[Path]
) -> Iterator[str]:
    """Says what the demo has shown."""
    yield from map(_describe, comparisons)
    mask, finetuned = comparisons[0].mask, comparisons[0].finetune
    yield (
        f"A mask changes no weight, it drops some: {mask.sparsity:.1%} of those that it covers in "
        f"{comparisons[0].task}. Its task file takes {megabytes(mask.task_bytes)}, that of a "
        f"finetuned copy {megabytes(finetuned.task_bytes)}: "
        f"{finetuned.task_bytes / mask.task_bytes:.0f} times as much."
    )
    yield _describe_memory(memory)
    yield f"The dropped weights by block and matrix: {', '.join(map(str, pictures))}"


def next_commands(given: DemoSettings, comparison: Comparison, example: Example) -> list[str]:
    """Lists three commands that run as they are."""
    run = shlex.quote(str(comparison.mask.folder))
    out = shlex.quote(str(given.out / "library"))
    return [
        f"maskjax predict {run} {_text_options(comparison, example)}",
        f"maskjax info {run}",
        f"maskjax train --model.base {shlex.quote(given.model)} --task.name docstrings/library "
        f"--out {out}",
    ]


def measure_memory(masked: SavedRun, finetuned: Path) -> Memory:
    """Adds up the bytes of the arrays of one task."""
    return Memory(
        base=_nbytes(masked.base.params),
        mask=mask_bytes(masked.file.masks) + _nbytes(masked.file.delta.without(Mask)),
        finetuned=_nbytes(load_task_file(finetuned / TASK_FILE).delta),
    )


def megabytes(size: float) -> str:
    """Writes a number of bytes in megabytes."""
    return f"{size / 1e6:,.1f} MB"


def _describe(comparison: Comparison) -> str:
    question = lookup(comparison.task).question
    mask, finetuned = comparison.mask_score, comparison.finetune_score
    text = (
        f"{comparison.task}{f' asks: {question}' if question else '.'} The mask scores "
        f"{100 * mask:.1f} ({comparison.metric} on {comparison.rows:,} {comparison.split} rows), "
        f"{_difference(mask, finetuned)} finetuning"
    )
    if not comparison.baselines:
        return f"{text}."
    name, score = max(comparison.baselines.items(), key=lambda item: item[1])
    return (
        f"{text} and {_difference(mask, score)} the best baseline without a pretrained model, "
        f"which is {name}."
    )


def _difference(score: float, reference: float) -> str:
    points = 100 * (score - reference)
    return f"{abs(points):.1f} points {'above' if points >= 0 else 'below'}"


def _describe_memory(memory: Memory) -> str:
    return (
        f"{MANY} such tasks take {megabytes(memory.base + MANY * memory.mask)} of memory: one base "
        f"of {megabytes(memory.base)}, and {megabytes(memory.mask)} per task for a mask of one bit "
        f"per weight and a head. {MANY} finetuned copies take "
        f"{megabytes(MANY * memory.finetuned)}."
    )


def _text_options(comparison: Comparison, example: Example) -> str:
    """Writes an example as options of `maskjax predict`."""
    if comparison.kind == "tokens":
        return f"--text {shlex.quote(' '.join(example.texts))}"
    first, *others = map(shlex.quote, example.texts)
    return " ".join(["--text", first, *(["--second", *others] if others else [])])


def _nbytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
