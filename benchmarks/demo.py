"""The demo with several seeds: scores of the mask, of finetuning and of the baselines, as a table.

python -m benchmarks.demo --seeds 3 --out runs/demo-seeds
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import tyro
from rich.console import Console

from maskjax.cli.demo.comparison import Comparison, compare
from maskjax.cli.demo.settings import DemoSettings


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Runs the demo with the seeds 0, 1, and so on.

    Attributes:
        out: A folder that gets one folder per seed.
        seeds: The number of seeds.
    """

    out: Path = Path("runs/demo-seeds")
    seeds: int = 3


def main(given: Arguments) -> None:
    """Trains, and prints the table in Markdown.

    Args:
        given: The command line.
    """
    console = Console()
    demo = DemoSettings()
    rows = []
    for task in demo.task:
        seeds = [
            compare(replace(demo, seed=seed, out=given.out / f"seed-{seed}"), task, console)
            for seed in range(given.seeds)
        ]
        rows += table_rows(seeds)
    print("| task | method | seeds | mean | seconds |", "|---|---|---|---|---|", *rows, sep="\n")


def table_rows(seeds: list[Comparison]) -> list[str]:
    """Lists the scores of one task.

    Args:
        seeds: The results of each seed.

    Returns:
        Lines of a Markdown table.
    """
    first = seeds[0]
    lines = [
        f"| {first.task} | {name} | | {100 * score:.1f} | |"
        for name, score in first.baselines.items()
    ]
    for method in ("mask", "finetune"):
        runs = [getattr(comparison, method) for comparison in seeds]
        scores = [100 * run.scores[first.split] for run in runs]
        each = ", ".join(f"{score:.1f}" for score in scores)
        seconds = mean(run.seconds for run in runs)
        lines.append(f"| {first.task} | {method} | {each} | {mean(scores):.1f} | {seconds:.0f} |")
    return lines


if __name__ == "__main__":
    main(tyro.cli(Arguments))
