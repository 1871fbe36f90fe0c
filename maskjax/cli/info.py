"""`maskjax info`: what a run learned."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskjax.analysis.heatmap import by_block, grid_of, short_name
from maskjax.cli.picture import save_picture
from maskjax.errors import visible
from maskjax.extras import require
from maskjax.masking import Count, total_count
from maskjax.masking.packed import count_packed
from maskjax.models.matrix_types import count_by_type
from maskjax.taskfile import (
    MaskSize,
    TaskHeader,
    declared_size,
    find_task_file,
    read_content,
    read_task_header,
)


@dataclass(frozen=True, kw_only=True)
class InfoArguments:
    """Shows what a run learned: scores, size, and the zeros of its mask by block and kind.

    Attributes:
        run: A run folder or a task file.
        picture: Also draw the zeros as a heat map into this .png, .svg or .pdf file.
        count: Decode the masks of a file of format 1, which does not say how many zeros they have.
        offline: Never ask the network, use only what is stored locally.
    """

    run: Annotated[Path, tyro.conf.Positional]
    picture: Path | None = None
    count: bool = False
    offline: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax info`."""
    given = tyro.cli(InfoArguments, args=arguments, prog="maskjax info")
    if given.picture:
        require("--picture", "matplotlib", install="maskjax[analysis]")
    path = find_task_file(given.run, offline=given.offline)
    header = read_task_header(path)
    header.check()
    counts = header.counts
    if counts is None and given.count:
        counts = count_packed(read_content(header).masks)
    console = Console()
    for line in _summary(header, counts):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    grid = zeros_by_block_and_kind(counts or {})
    if grid:
        console.print(_heat_table(grid))
    if given.picture:
        save_picture(grid, header.meta["task"]["name"], given.picture)
        console.print(f"picture: {given.picture}", highlight=False)
    return 0


def zeros_by_block_and_kind(counts: Mapping[str, Count]) -> dict[str, dict[str, Count | None]]:
    """Arranges the zeros of a saved mask.

    Args:
        counts: The counts of each matrix, by path.

    Returns:
        `{block: {kind: count}}`, all with the same kinds, None where a block has no such matrix;
        leaves outside the blocks are under the block `top`.
    """
    _, kinds = grid_of(counts)
    rows = {block: count_by_type(row) for block, row in by_block(counts).items()}
    return {block: {kind: row.get(kind) for kind in kinds} for block, row in rows.items()}


def _summary(header: TaskHeader, counts: Mapping[str, Count] | None) -> list[str]:
    meta = header.meta
    task, base = meta["task"], meta["base"]
    scores = ", ".join(f"{split} {score:.4f}" for split, score in meta["scores"].items())
    revision = f" at {base['revision']}" if base["revision"] else ""
    lines = [
        f"file    {header.name}, {header.container.size:,} bytes",
        f"task    {task['name']}: {task['kind']}, {task['metric']}: {scores}",
        f"labels  {', '.join(task['labels']) or 'a number'}",
        f"base    {base['name']}{revision}, digest {base['digest']}",
        f"texts   {' and '.join(task['text'])}, cut to {meta['tokenizer']['max_length']} tokens",
        f"method  {meta['config']['adaptation']['method']}, by maskjax {meta['maskjax']}",
        *_mask_lines(header, counts),
    ]
    return [visible(line) for line in lines]


def _mask_lines(header: TaskHeader, counts: Mapping[str, Count] | None) -> list[str]:
    threshold = header.meta["mask"]["threshold"]
    if counts is None:
        size = sum(math.prod(shape) for shape in header.declared.masks.values())
        return [
            f"mask    {size:,} weights, threshold {threshold}; format 1 does not say how many are "
            "dropped, --count decodes them"
        ]
    if not counts:
        return []
    total = total_count(counts)
    return [
        f"mask    {total.zeros:,} of {total.total:,} weights dropped "
        f"({total.sparsity:.2%}), threshold {threshold}",
        _describe_size(declared_size(header, counts)),
    ]


def _describe_size(size: MaskSize) -> str:
    encodings = ", ".join(f"{count} {name}" for name, count in size.encodings.items())
    return (
        f"coded   {size.coded:,} bytes, {size.bits_per_weight:.3f} bits per weight; independent "
        f"weights of these densities: {size.bound:,.0f} bytes; arrays: {encodings}"
    )


def _heat_table(grid: dict[str, dict[str, Count | None]]) -> Table:
    """The more zeros, the redder the cell."""
    kinds = next(iter(grid.values()))
    highest = max(c.sparsity for row in grid.values() for c in row.values() if c) or 1.0
    title = "weights dropped, per cent"
    table = Table("block", *map(short_name, kinds), title=title, box=SIMPLE_HEAD)
    for block, row in grid.items():
        table.add_row(block, *(_heat_cell(count, highest) for count in row.values()))
    return table


def _heat_cell(count: Count | None, highest: float) -> Text:
    if count is None:
        return Text("")
    pale = round(255 - 155 * count.sparsity / highest)
    return Text(f"{100 * count.sparsity:5.1f}", style=f"black on rgb(255,{pale},{pale})")
