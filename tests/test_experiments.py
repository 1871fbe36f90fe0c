"""The cells of a suite, against a count by hand of what its plan asks for."""

from collections import Counter

import pytest

from experiments.cells import Cell, missing_cells
from experiments.suites import SUITES


def _run(suite: str, parts: int) -> Counter[Cell]:
    """Runs every part to its end in turn, without training."""
    done, runs = {}, Counter()
    for part in range(parts):
        while missing := missing_cells(suite, done, (part, parts)):
            runs.update(missing)
            done |= {cell: {"scores": {"holdout": -cell.rate}} for cell in missing}
    return runs


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_every_cell_of_a_plan_is_run_once(suite, parts):
    settings = SUITES[suite]
    runs = _run(suite, parts)
    expected = sum(
        len(settings.seeds) + (encoder == "bert") * (len(settings.rates_of(task, method)) - 1)
        for (encoder, method), tasks in settings.planned.items()
        for task in tasks
    )
    assert set(runs.values()) == {1}
    assert len(runs) == expected


def test_other_seeds_and_encoders_take_the_rate_of_the_first():
    others = [cell for cell in _run("tasks", 2) if (cell.encoder, cell.seed) != ("bert", 0)]
    best = {method: min(rates) for method, rates in SUITES["tasks"].rates.items()}
    assert all(cell.rate == best[cell.method] for cell in others)
