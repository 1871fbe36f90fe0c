"""A path between two models in one program against the evaluation of its points one by one.

    python -m benchmarks.path --path FOLDER                  # CoLA's rows, 25 points, 1,000 rows
    python -m benchmarks.path --path FOLDER --points 5 --rows 200 --rounds 1

The ends are MiniLM with two random heads: time does not depend on what was learned. `one by one` is
what a user would write: the forward pass compiled once for each length of a batch, and the params
of each point made before it. Both are compiled before they are timed, and take turns, so that a
change of the machine's speed meets both. The bar is a ratio of 1.3.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console

from benchmarks.harness import median_ratio, seconds_in_turns, timed
from maskjax.analysis.interpolation import line, mix
from maskjax.analysis.landscape import Landscape
from maskjax.config import Config, ModelConfig, TaskConfig, TrainConfig
from maskjax.inference import make_predict, predict_logits, score_logits
from maskjax.training import Experiment, prepare_seeds

BUCKETS = (16, 32, 64)


def main(
    *,
    path: Path,
    task: str = "glue/cola",
    points: int = 25,
    rows: int = 1000,
    rounds: int = 3,
    out: Path | None = None,
) -> None:
    """Prints seconds and their ratio.

    Args:
        path: A folder with the rows of the task.
        task: The task of the rows.
        points: The number of points of the path, both ends included.
        rows: How many dev rows.
        rounds: Timed paths of each way.
        out: A JSON file for the numbers.
    """
    settings = TaskConfig(name=task, path=str(path), max_length=64, eval_rows=rows)
    experiments = prepare_seeds(
        Config(
            model=ModelConfig(base="minilm"),
            task=settings,
            train=TrainConfig(buckets=BUCKETS, seeds=2),
        )
    )
    found = _measure(experiments, points, rounds)
    for name, value in found.items():
        Console().print(f"{name:24} {value:,.4g}", highlight=False)
    if out:
        out.write_text(json.dumps(found, indent=2))


def _measure(experiments: Sequence[Experiment], points: int, rounds: int) -> dict[str, float]:
    first, ends = experiments[0], [experiment.params for experiment in experiments]
    gammas = jnp.linspace(0, 1, points)
    batching: dict[str, Any] = {"batch_size": 32, "buckets": BUCKETS}
    dev, task = first.encoded["dev"], first.data.task
    landscape = Landscape(first.model, task, dev, **batching)
    predict, mixed = make_predict(first.model), jax.jit(mix)
    pad_id = first.base.config.pad_token_id

    def together() -> np.ndarray:
        return landscape(ends, np.asarray(line(gammas))).score

    def one_by_one() -> np.ndarray:
        scores = []
        for gamma in gammas:
            params = mixed(ends, line(gamma))
            logits = predict_logits(predict, params, dev, pad_id=pad_id, **batching)
            scores.append(score_logits(task, logits, dev.labels))
        return np.array(scores)

    ways = {"together": together, "one by one": one_by_one}
    first_time = {f"{name}, compiling": timed(way)[1] for name, way in ways.items()}
    times = seconds_in_turns(ways, rounds, warm_up=0)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    return first_time | medians | {"ratio": median_ratio(times["together"], times["one by one"])}


if __name__ == "__main__":
    tyro.cli(main)
