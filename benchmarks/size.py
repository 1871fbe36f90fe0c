"""Accuracy against the size of the task file, when small weights are kept after all.

    python -m benchmarks.size RUN [RUN ...] --out docs/size.svg

Each run is shrunk to ever fewer zeros (`maskjax shrink`) and scored on its splits. A dashed line
marks a LoRA adapter r=8 on query and value of the same model in bfloat16.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import tyro

from maskjax.inference import SavedRun, load_run
from maskjax.masking import flatten_with_paths
from maskjax.taskfile import mask_size, save_task_file, shrink
from maskjax.tasks import load_task

SHARES = (1.0, 0.7, 0.5, 0.45, 0.4, 0.35, 0.25, 0.18, 0.12)
"""Shares of the zeros that stay."""


class Point(NamedTuple):
    """One task file and what it scores."""

    share: float
    file_bytes: int
    bits_per_weight: float
    scores: dict[str, float]


def main(runs: Annotated[tuple[Path, ...], tyro.conf.Positional], out: Path) -> None:
    """Prints a table and draws the curves.

    Args:
        runs: Run folders with masks.
        out: The picture.
    """
    curves, adapter = {}, 0
    for run in runs:
        saved = load_run(run)
        adapter = lora_bytes(saved)
        curves[saved.task.name] = list(curve(saved))
        print_table(saved.task.name, curves[saved.task.name])
    print(f"LoRA r=8, bfloat16, without its head: {adapter:,} bytes")
    draw(curves, adapter, out)


def curve(saved: SavedRun) -> list[Point]:
    """Task files of a run with ever fewer zeros."""
    weights = flatten_with_paths(saved.base.params) | saved.file.delta.weights
    rows = load_task(saved.config.task).splits
    splits = {name: split for name, split in rows.items() if name != "train"}
    points = []
    for share in SHARES:
        small = shrink(saved.file, weights, share)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "task.safetensors"
            size = save_task_file(path, small)
            bits, shrunk = mask_size(path).bits_per_weight, load_run(path)
        scores = {name: shrunk.score(split) for name, split in splits.items()}
        points.append(Point(share, size, bits, scores))
    return points


def lora_bytes(saved: SavedRun) -> int:
    """Bytes of A and B of query and value in all blocks, r=8, bfloat16."""
    config = saved.base.config
    return config.num_layers * 2 * 2 * config.hidden_size * 8 * 2


def print_table(name: str, points: list[Point]) -> None:
    """Prints the points of a task as Markdown."""
    splits = list(points[0].scores)
    print(f"| {name}: zeros kept | bytes | bits per weight | {' | '.join(splits)} |")
    print("|---|---|---|" + "---|" * len(splits))
    for point in points:
        found = " | ".join(f"{100 * point.scores[split]:.1f}" for split in splits)
        print(
            f"| {point.share:.0%} | {point.file_bytes:,} | {point.bits_per_weight:.2f} | {found} |"
        )


def draw(curves: dict[str, list[Point]], adapter: int, out: Path) -> None:
    """Draws one curve a task: points lost on the last split against bytes of the file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        split = list(points[0].scores)[-1]
        lost = [100 * (point.scores[split] - points[0].scores[split]) for point in points]
        axes.plot([p.file_bytes / 1000 for p in points], lost, marker="o", label=f"{name}, {split}")
    axes.axvline(adapter / 1000, linestyle="--", color="gray", label="LoRA r=8, bfloat16")
    axes.set(xscale="log", xlabel="task file (kB)", ylabel="points against all zeros")
    axes.legend()
    figure.savefig(out)


if __name__ == "__main__":
    tyro.cli(main)
