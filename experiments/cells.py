"""The cells of `experiments.quality`, one run each, and the tables they make."""

import itertools
import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.suites import SUITES, TASKS

BERT = "bert"
"""The encoder that others are compared with, and whose held-out rows choose the rates."""


class Cell(NamedTuple):
    """One run.

    Attributes:
        task: A name of `TASKS`.
        encoder: `bert` is MiniLM itself; `distilbert` and `roberta` are re-expressed.
        method: A name of the suite's methods.
        rate: The learning rate.
        seed: The seed of the run.
    """

    task: str
    encoder: str
    method: str
    rate: float
    seed: int

    @property
    def name(self) -> str:
        """The name of its run folder."""
        method = self.method.replace(", ", "-").replace(" ", "-")
        return f"{self.task}-{self.encoder}-{method}-{self.rate:g}-{self.seed}"


def cells_of(suite: str, done: Mapping[Cell, dict[str, Any]]) -> list[Cell]:
    """The cells of a suite, seed by seed: BERT's first seed at every rate, all else at the best.

    Args:
        suite: A name of `SUITES`.
        done: Results so far; other cells need those of BERT's first seed.

    Returns:
        The cells that can be named so far.
    """
    settings = SUITES[suite]
    cells = []
    for seed in settings.seeds:
        for (encoder, method), tasks in settings.planned.items():
            for task in tasks:
                rates = settings.rates_of(task, method)
                if (encoder, seed) != (BERT, settings.seeds[0]):
                    best = best_rate(suite, task, method, done)
                    rates = () if best is None else (best,)
                cells += [Cell(task, encoder, method, rate, seed) for rate in rates]
    return cells


def missing_cells(
    suite: str, done: Mapping[Cell, dict[str, Any]], part: tuple[int, int] = (0, 1)
) -> list[Cell]:
    """The cells that can be named so far and have no result.

    Args:
        suite: A name of `SUITES`.
        done: Results so far.
        part: I and N for the I-th of N parts. All cells of a task and method are of one part, so
            that no part waits for a rate that another one finds.

    Returns:
        The cells, in the order of `cells_of`.
    """
    tasks, methods = list(TASKS), list(SUITES[suite].methods)
    return [
        cell
        for cell in cells_of(suite, done)
        if cell not in done
        and (tasks.index(cell.task) + methods.index(cell.method)) % part[1] == part[0]
    ]


def best_rate(
    suite: str, task: str, method: str, done: Mapping[Cell, dict[str, Any]]
) -> float | None:
    """The rate that held-out rows of BERT's first seed prefer; None while some rate is missing."""
    settings = SUITES[suite]
    rates = settings.rates_of(task, method)
    first = [Cell(task, BERT, method, rate, settings.seeds[0]) for rate in rates]
    if not all(cell in done for cell in first):
        return None
    return max(first, key=lambda cell: done[cell]["scores"]["holdout"]).rate


def print_tables(suite: str, done: Mapping[Cell, dict[str, Any]]) -> None:
    """Prints mean and spread of each task and method, then masks against finetuning, as Markdown.

    Args:
        suite: A name of `SUITES`.
        done: The finished cells.
    """
    settings = SUITES[suite]
    print("| task | encoder | method | rate | seeds | held out | reported | zeros |")
    print("|---|---|---|---|---|---|---|---|")
    for task, (encoder, method) in itertools.product(TASKS, settings.planned):
        for rate in settings.rates[method]:
            cells = [Cell(task, encoder, method, rate, seed) for seed in settings.seeds]
            found = [done[cell] for cell in cells if cell in done]
            if found:
                print(f"| {task} | {encoder} | {method} | {rate:g} | {_row(task, found)} |")
    _print_differences("mask - finetune", suite, (BERT, "mask"), (BERT, "finetune"), done)
    for encoder in sorted({encoder for encoder, _ in settings.planned} - {BERT}):
        name = f"mask, {encoder} - {BERT}"
        _print_differences(name, suite, (encoder, "mask"), (BERT, "mask"), done)


def _row(task: str, found: list[dict[str, Any]]) -> str:
    held = mean_and_spread([result["scores"]["holdout"] for result in found])
    reported = mean_and_spread([result["scores"][TASKS[task].reported] for result in found])
    zeros = [result["sparsity"] for result in found if result["sparsity"] is not None]
    dropped = f"{100 * statistics.mean(zeros):.1f} %" if zeros else ""
    return f"{len(found)} | {held} | {reported} | {dropped}"


def _print_differences(
    name: str,
    suite: str,
    first: tuple[str, str],
    second: tuple[str, str],
    done: Mapping[Cell, dict[str, Any]],
) -> None:
    """One encoder and method minus another in points, over the seeds that both have."""
    differences = {}
    for task in TASKS:
        scores = [_by_seed(suite, task, *column, done) for column in (first, second)]
        common = scores[0].keys() & scores[1].keys()
        if common:
            means = [statistics.mean(one[seed] for seed in common) for one in scores]
            differences[task] = 100 * (means[0] - means[1])
    if differences:
        listed = ", ".join(f"{task} {value:+.1f}" for task, value in differences.items())
        mean = statistics.mean(differences.values())
        print(f"\n{name}: {listed}; mean {mean:+.2f}")


def _by_seed(
    suite: str, task: str, encoder: str, method: str, done: Mapping[Cell, dict[str, Any]]
) -> dict[int, float]:
    if (encoder, method) not in SUITES[suite].planned:
        return {}
    rate = best_rate(suite, task, method, done)
    return {
        cell.seed: result["scores"][TASKS[task].reported]
        for cell, result in done.items()
        if cell[:4] == (task, encoder, method, rate)
    }


def mean_and_spread(scores: list[float]) -> str:
    """Mean ± standard deviation over seeds, in points."""
    mean = f"{100 * statistics.mean(scores):.1f}"
    return f"{mean} ± {100 * statistics.stdev(scores):.1f}" if len(scores) > 1 else mean
