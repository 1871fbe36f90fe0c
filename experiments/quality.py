"""Masking against its rivals on real tasks: a table of cells, each one a run of MiniLM.

    python -m experiments.quality tasks --data ../shared/data --out runs/quality
    python -m experiments.quality tasks --data ../shared/data --out runs/quality \
        --only mrpc bert mask 1e-3 0
    python -m experiments.quality tasks --table

The first command trains every cell of the suite `tasks` that is missing, the second one cell, the
third prints the tables of what is there. Finished cells are lines of docs/quality/SUITE.jsonl, so
the command can be stopped and given again, and `--part 0 2` with `--part 1 2` splits it over two
processes.

A tenth of the training rows is held out: it chooses the best step of a run, and of the first seed
the learning rate of the others. What is reported are test rows where they have labels, else dev
rows.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from experiments.cells import Cell, missing_cells, print_tables
from experiments.reexpress import write_as_distilbert, write_as_roberta
from experiments.suites import SUITES, TASKS
from maskjax.analysis.resumable import Key, read_jobs, run_jobs
from maskjax.config import Config, ModelConfig, TaskConfig, TrainConfig
from maskjax.models.minilm import minilm_folder
from maskjax.training import run

RESULTS = Path(__file__).parents[1] / "docs" / "quality"
FILES = {"qnli": {"train": "dev_part_train", "dev": "dev_part_heldout"}}
"""Files of splits that are not named after them."""


def main(
    suite: Annotated[str, tyro.conf.Positional],
    *,
    out: Path = Path("runs/quality"),
    data: Path = Path("../shared/data"),
    only: tuple[str, str, str, float, int] | None = None,
    part: tuple[int, int] = (0, 1),
    table: bool = False,
) -> None:
    """Runs the cells that are missing, then prints the tables.

    Args:
        suite: A name of `SUITES`.
        out: A folder that gets one run folder a cell.
        data: The folder with one folder of rows a task.
        only: Task, encoder, method, learning rate and seed of one cell.
        part: I and N, to run the I-th of N parts of the cells.
        table: Print the tables of what is there and run nothing.
    """
    path, console = RESULTS / f"{suite}.jsonl", Console()

    def train(key: Key) -> dict[str, Any]:
        return train_cell(suite, Cell(**key), data, out / suite, console)

    if only and not table:
        run_jobs([Cell(*only)._asdict()], train, path, console=console)
    # Again and again, for the rates that are found name further cells.
    while not (only or table) and (missing := missing_cells(suite, read_results(path), part)):
        run_jobs([cell._asdict() for cell in missing], train, path, console=console)
    print_tables(suite, read_results(path))


def train_cell(suite: str, cell: Cell, data: Path, out: Path, console: Console) -> dict[str, Any]:
    """Trains a cell.

    Args:
        suite: The suite, which says how many rows there are.
        cell: The run.
        data: The folder with the rows.
        out: Gets its run folder.
        console: Where to tell about it.

    Returns:
        What is kept of its outcome.
    """
    folder = out / cell.name
    config = cell_config(suite, cell, rows_of(cell.task, data, out), base_of(cell.encoder, out))
    result = run(config, folder, console=console)
    kept = ("scores", "step", "task_bytes", "seconds", "sparsity")
    return {name: value for name, value in result._asdict().items() if name in kept}


def cell_config(suite: str, cell: Cell, rows: Path, base: str) -> Config:
    """The configuration of a cell.

    Args:
        suite: Its suite.
        cell: The run.
        rows: The folder with the rows.
        base: The model.

    Returns:
        The configuration.
    """
    settings = SUITES[suite]
    method = settings.methods[cell.method]
    return Config(
        model=ModelConfig(base=base),
        task=TaskConfig(
            name=TASKS[cell.task].name,
            path=str(rows),
            train_rows=settings.train_rows,
            eval_rows=settings.eval_rows,
            holdout=0.1,
            max_length=TASKS[cell.task].max_length,
        ),
        adaptation=method.adaptation,
        optimizer=dataclasses.replace(method.optimizer, learning_rate=cell.rate),
        train=TrainConfig(seed=cell.seed, epochs=settings.epochs, dropout=method.dropout),
    )


def rows_of(task: str, data: Path, out: Path) -> Path:
    """The folder with a task's rows, its files named after the splits."""
    if task not in FILES:
        return data / task
    folder = out / "data" / task
    folder.mkdir(parents=True, exist_ok=True)
    for split, name in FILES[task].items():
        link = folder / f"{split}.tsv"
        if not link.exists():
            link.symlink_to((data / task / f"{name}.tsv").resolve())
    return folder


def base_of(encoder: str, out: Path) -> str:
    """The base model: MiniLM itself, or re-expressed as another family."""
    if encoder == "bert":
        return "minilm"
    folder = out / "bases" / encoder
    if not (folder / "model.safetensors").exists():
        write = {"distilbert": write_as_distilbert, "roberta": write_as_roberta}[encoder]
        write(minilm_folder(), folder)
    return str(folder)


def read_results(path: Path) -> dict[Cell, dict[str, Any]]:
    """The finished cells of a suite and what they gave."""
    return {Cell(**key): result for key, result in read_jobs(path)}


if __name__ == "__main__":
    tyro.cli(main)
