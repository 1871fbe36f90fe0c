"""Masking against finetuning on real tasks: a table of cells, each one a run.

    python -m benchmarks.quality --data ../shared/data --out runs/quality            # all cells
    python -m benchmarks.quality --data ../shared/data --out runs/quality \
        --only sst2 mask 1e-3 0                                                      # one cell
    python -m benchmarks.quality --out runs/quality --table                          # the table

Every cell trains MiniLM on at most 6,000 rows for 3 epochs, of which a tenth is held out to
choose the best step and the learning rate; scores are of the published dev or test set. A cell
that is finished is skipped, so the command can be stopped and given again.
"""

import dataclasses
import itertools
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tyro
from rich.console import Console

from maskjax.config import AdaptationConfig, Config, ModelConfig, OptimizerConfig, TaskConfig
from maskjax.training import run

TASKS: dict[str, TaskConfig] = {
    "sst2": TaskConfig(name="glue/sst2"),
    "trec": TaskConfig(name="trec", text=("question",), label="coarse"),
    "cola": TaskConfig(name="glue/cola"),
}
REPORTED = {"sst2": "dev", "trec": "test", "cola": "dev"}
"""The split whose score is reported; it is never looked at to choose anything."""

METHODS: dict[str, AdaptationConfig] = {
    "mask": AdaptationConfig(),
    "paper": AdaptationConfig(start="uniform", head="masked"),
    "ones": AdaptationConfig(start="ones"),
    "finetune": AdaptationConfig(method="finetune"),
}
"""`mask` is what maskjax does unless told otherwise: every weight kept at first, by margins in
proportion to its size, and the head trained. `paper` starts at 5 % zeros and masks a random head;
`ones` keeps every weight at first, all by the same margin."""

GRID = {
    "mask": (5e-4, 1e-3, 2e-3),
    "paper": (3e-3,),
    "ones": (1e-3, 3e-3),
    "finetune": (5e-5, 1e-4, 2e-4),
}
SEEDS = (0, 1)


class Cell(NamedTuple):
    """One run: a task, a method, a learning rate and a seed."""

    task: str
    method: str
    rate: float
    seed: int

    @property
    def name(self) -> str:
        """The name of its run folder."""
        return f"{self.task}-{self.method}-{self.rate:g}-{self.seed}"


def main(
    out: Path,
    data: Path = Path("../shared/data"),
    only: tuple[str, str, float, int] | None = None,
    table: bool = False,
) -> None:
    """Runs the cells that are missing, then prints the table.

    Args:
        out: A folder that gets one run folder a cell.
        data: The folder with the data sets.
        only: Task, method, learning rate and seed of one cell.
        table: Print the table of what is there and run nothing.
    """
    if only:
        train_cell(Cell(*only), data, out)
    elif not table:
        for task, method in itertools.product(TASKS, METHODS):
            for rate in GRID[method]:
                train_cell(Cell(task, method, rate, SEEDS[0]), data, out)
        for cell in best_cells(out):
            train_cell(cell, data, out)
    print_table(out)


def cell_config(cell: Cell, data: Path) -> Config:
    """The configuration of a cell."""
    config = Config(
        model=ModelConfig(base="minilm"),
        task=dataclasses.replace(
            TASKS[cell.task], path=str(data / cell.task), train_rows=6000, holdout=0.1
        ),
        adaptation=METHODS[cell.method],
        optimizer=OptimizerConfig(
            learning_rate=cell.rate,
            head_learning_rate=1e-3 if METHODS[cell.method].method == "mask" else None,
        ),
    )
    return dataclasses.replace(config, train=dataclasses.replace(config.train, seed=cell.seed))


def train_cell(cell: Cell, data: Path, out: Path) -> None:
    """Trains a cell unless its result is there."""
    if not (out / cell.name / "result.json").exists():
        run(cell_config(cell, data), out / cell.name, console=Console())


def read_cells(out: Path) -> Iterator[tuple[Cell, dict]]:
    """Finished cells and their results."""
    for task in TASKS:
        for method, rates in GRID.items():
            for rate in rates:
                for seed in SEEDS:
                    cell = Cell(task, method, rate, seed)
                    path = out / cell.name / "result.json"
                    if path.exists():
                        yield cell, json.loads(path.read_text())


def best_cells(out: Path) -> list[Cell]:
    """For each task and method, the cells of all seeds at the rate that held-out rows prefer."""
    first = [(cell, result) for cell, result in read_cells(out) if cell.seed == SEEDS[0]]
    chosen = {}
    for cell, _ in sorted(first, key=lambda pair: pair[1]["scores"]["holdout"]):
        chosen[cell.task, cell.method] = cell
    return [cell._replace(seed=seed) for cell in chosen.values() for seed in SEEDS]


def print_table(out: Path) -> None:
    """Prints every finished cell, then the chosen ones with their means."""
    results = dict(read_cells(out))
    print("| task | method | rate | seed | held out | reported | zeros | task bytes | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for cell, result in results.items():
        zeros = "" if result["sparsity"] is None else f"{result['sparsity']:.2%}"
        print(
            f"| {cell.task} | {cell.method} | {cell.rate:g} | {cell.seed} "
            f"| {100 * result['scores']['holdout']:.1f} "
            f"| {100 * result['scores'][REPORTED[cell.task]]:.1f} "
            f"| {zeros} | {result['task_bytes']:,} | {result['seconds']:.0f} |"
        )
    print("\n| task | method | chosen rate | mean over seeds |\n|---|---|---|---|")
    for cell in best_cells(out):
        if cell.seed != SEEDS[0]:
            continue
        found = [results.get(cell._replace(seed=seed)) for seed in SEEDS]
        scores = [100 * r["scores"][REPORTED[cell.task]] for r in found if r]
        print(f"| {cell.task} | {cell.method} | {cell.rate:g} | {statistics.mean(scores):.2f} |")


if __name__ == "__main__":
    tyro.cli(main)
