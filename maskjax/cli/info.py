"""`maskjax info`: what a run learned."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskjax.cli.show import show
from maskjax.errors import visible
from maskjax.extras import require
from maskjax.options import Offline, RunPath

if TYPE_CHECKING:
    from maskjax.masking import Count
    from maskjax.taskfile import MaskSize, TaskHeader


def info(
    run: RunPath, *, picture: Path | None = None, count: bool = False, offline: Offline = False
) -> None:
    """Shows what a run learned: scores, size, and the zeros of its mask by block and matrix type.

    Args:
        picture: Also draw the zeros as a heat map into this .png, .svg or .pdf file.
        count: Decode the masks of a file of format 1, which does not say how many zeros they have.
    """
    from maskjax.analysis.mask_picture import save_picture, zeros_by_block_and_type
    from maskjax.masking.packed import count_packed
    from maskjax.taskfile import find_task_file, read_content, read_task_header

    if picture:
        require("--picture", "matplotlib", install="maskjax[analysis]")
    header = read_task_header(find_task_file(run, offline=offline))
    header.check()
    counts = header.counts
    if counts is None and count:
        counts = count_packed(read_content(header).masks)
    for line in _summary(header, counts):
        show(line)
    grid = zeros_by_block_and_type(counts or {})
    if grid:
        Console().print(_heat_table(grid))
    if picture:
        save_picture(grid, header.meta["task"]["name"], picture)
        show(f"picture: {picture}")


def _summary(header: "TaskHeader", counts: "Mapping[str, Count] | None") -> list[str]:
    from maskjax.taskfile import describe_lengths

    meta = header.meta
    task, base = meta["task"], meta["base"]
    scores = ", ".join(f"{split} {score:.4f}" for split, score in meta["scores"].items())
    revision = f" at {base['revision']}" if base["revision"] else ""
    lines = [
        f"file    {header.name}, {header.container.size:,} bytes",
        f"task    {task['name']}: {task['kind']}, {task['metric']}: {scores}",
        f"labels  {', '.join(task['labels']) or 'a number'}",
        f"base    {base['name']}{revision}, digest {base['digest']}",
        f"texts   {' and '.join(task['text'])}, {describe_lengths(meta)}",
        f"method  {meta['config']['adaptation']['method']}, by maskjax {meta['maskjax']}",
        *_mask_lines(header, counts),
    ]
    return [visible(line) for line in lines]


def _mask_lines(header: "TaskHeader", counts: "Mapping[str, Count] | None") -> list[str]:
    threshold = header.meta["mask"]["threshold"]
    if counts is None:
        size = sum(math.prod(shape) for shape in header.declared.masks.values())
        return [
            f"mask    {size:,} weights, threshold {threshold}; format 1 does not say how many are "
            "dropped, --count decodes them"
        ]
    if not counts:
        return []
    from maskjax.masking import total_count
    from maskjax.taskfile import declared_size

    total = total_count(counts)
    return [
        f"mask    {total.zeros:,} of {total.total:,} weights dropped "
        f"({total.sparsity:.2%}), threshold {threshold}",
        _describe_size(declared_size(header, counts)),
    ]


def _describe_size(size: "MaskSize") -> str:
    encodings = ", ".join(f"{count} {name}" for name, count in size.encodings.items())
    return (
        f"coded   {size.coded:,} bytes, {size.bits_per_weight:.3f} bits per weight; independent "
        f"weights of these densities: {size.bound:,.0f} bytes; arrays: {encodings}"
    )


def _heat_table(grid: "Mapping[str, Mapping[str, Count | None]]") -> Table:
    """The more zeros, the redder the cell."""
    from maskjax.analysis.heatmap import short_name

    types = next(iter(grid.values()))
    highest = max(c.sparsity for row in grid.values() for c in row.values() if c) or 1.0
    title = "weights dropped, per cent"
    table = Table("block", *map(short_name, types), title=title, box=SIMPLE_HEAD)
    for block, row in grid.items():
        table.add_row(block, *(_heat_cell(count, highest) for count in row.values()))
    return table


def _heat_cell(count: "Count | None", highest: float) -> Text:
    if count is None:
        return Text("")
    pale = round(255 - 155 * count.sparsity / highest)
    return Text(f"{100 * count.sparsity:5.1f}", style=f"black on rgb(255,{pale},{pale})")
