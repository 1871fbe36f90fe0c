"""`maskjax info` and `maskjax doctor`: looking at a run, and at the installation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from maskjax.analysis.grid import by_block, grid_of, short_name
from maskjax.cli.picture import save_picture
from maskjax.doctor import accelerator_present, diagnose, versions
from maskjax.masking import Count, count_by_kind, count_packed, total_count
from maskjax.taskfile import MaskSize, TaskFile, find_task_file, load_task_file, mask_size


@dataclass(frozen=True, kw_only=True)
class InfoArguments:
    """Shows what a run learned: scores, size, and the zeros of its mask by block and kind.

    Attributes:
        run: A run folder or a task file.
        picture: Also draw the zeros as a heat map into this .png, .svg or .pdf file.
        offline: Never ask the network, use only what is stored locally.
    """

    run: Annotated[Path, tyro.conf.Positional]
    picture: Path | None = None
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class DoctorArguments:
    """Shows versions and devices, and names known-bad combinations with their remedy."""


def info_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax info`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the run cannot be read.
    """
    given = tyro.cli(InfoArguments, args=arguments, prog="maskjax info")
    path = find_task_file(given.run, offline=given.offline)
    file = load_task_file(path)
    console = Console()
    for line in _summary(file, path):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    grid = zeros_by_block_and_kind(file)
    if grid:
        console.print(_heat_table(grid))
    if given.picture:
        save_picture(grid, file.meta["task"]["name"], given.picture)
        console.print(f"picture: {given.picture}", highlight=False)
    return 0


def zeros_by_block_and_kind(file: TaskFile) -> dict[str, dict[str, Count | None]]:
    """Counts the zeros of a saved mask.

    Args:
        file: The task file.

    Returns:
        `{block: {kind: count}}`, all with the same kinds, None where a block has no such matrix;
        leaves outside the blocks are under the block `top`.
    """
    counts = count_packed(file.masks)
    _, kinds = grid_of(counts)
    rows = {block: count_by_kind(row) for block, row in by_block(counts).items()}
    return {block: {kind: row.get(kind) for kind in kinds} for block, row in rows.items()}


def doctor_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax doctor`.

    Args:
        arguments: The words after the command.

    Returns:
        0, or 1 where something is known to be wrong.
    """
    import jax

    tyro.cli(DoctorArguments, args=arguments, prog="maskjax doctor")
    console = Console()
    table = Table("package", "version")
    for name, version in versions().items():
        table.add_row(name, version)
    console.print(table)
    for device in jax.devices():
        console.print(f"device: {device} ({device.device_kind})", highlight=False, markup=False)
    findings = diagnose(versions(), jax.default_backend(), accelerator_present())
    for finding in findings:
        console.print(f"problem: {finding.problem}\n remedy: {finding.remedy}", markup=False)
    console.print(f"{len(findings)} known problems", highlight=False)
    return 1 if findings else 0


def _summary(file: TaskFile, path: Path) -> list[str]:
    meta = file.meta
    task, base = meta["task"], meta["base"]
    scores = ", ".join(f"{split} {score:.4f}" for split, score in meta["scores"].items())
    revision = f" at {base['revision']}" if base["revision"] else ""
    lines = [
        f"file    {path}, {path.stat().st_size:,} bytes",
        f"task    {task['name']}: {task['kind']}, {task['metric']}: {scores}",
        f"labels  {', '.join(task['labels']) or 'a number'}",
        f"base    {base['name']}{revision}, digest {base['digest']}",
        f"texts   {' and '.join(task['text'])}, cut to {meta['tokenizer']['max_length']} tokens",
        f"method  {meta['config']['adaptation']['method']}, by maskjax {meta['maskjax']}",
    ]
    counts = count_packed(file.masks)
    if counts:
        total = total_count(counts)
        lines.append(
            f"mask    {total.zeros:,} of {total.total:,} weights dropped "
            f"({total.sparsity:.2%}), threshold {meta['mask']['threshold']}"
        )
        lines.append(_describe_size(mask_size(path)))
    return lines


def _describe_size(size: MaskSize) -> str:
    encodings = ", ".join(f"{count} {name}" for name, count in size.encodings.items())
    return (
        f"coded   {size.coded:,} bytes, {size.bits_per_weight:.3f} bits a weight; independent "
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
