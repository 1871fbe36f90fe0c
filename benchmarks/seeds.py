"""Several seeds in one program against the same seeds one by one: time and memory of a step.

    python -m benchmarks.seeds                        # 4 seeds, MiniLM size, 32 x 64
    python -m benchmarks.seeds --seeds 2 --rows 8 --tokens 32 --rounds 3

Weights are random, rows have no padding, dropout is on (0.1). Each round makes one step of every
way in turns, so that a change of the machine's speed meets all of them; a round one by one is a
step of every seed. A run of `steps` steps is counted as compiling, once or for every seed, and
`steps` times the median. Memory is what the compiler plans: arguments are the base, the states and
the batches; temporaries are gradients and activations. `bound` is one base and, for every seed, its
scores and its optimizer's state.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.harness import (
    SIZES,
    make_batch,
    make_encoder,
    median_ratio,
    random_params,
    seconds_in_turns,
)
from maskjax.adaptation import make_adaptation
from maskjax.config import AdaptationConfig, OptimizerConfig
from maskjax.models import Model, build_model, init_head
from maskjax.models.model import Params
from maskjax.training import Seeds, init_state, make_loss, make_optimizer, make_train_step

Way = Literal["vmap", "map"]
WAYS: tuple[Way, ...] = ("vmap", "map")


class Timed(NamedTuple):
    """One way to step all seeds, and what the compiler says of it."""

    step: Callable[[], None]
    compile_seconds: float
    argument_bytes: int
    temp_bytes: int


def main(
    *,
    seeds: int = 4,
    size: Literal["minilm", "base"] = "minilm",
    rows: int = 32,
    tokens: int = 64,
    rounds: int = 5,
    steps: int = 500,
    out: Path | None = None,
) -> None:
    """Prints a table.

    Args:
        seeds: How many.
        size: The size of the encoder.
        rows: Rows of a seed's batch.
        tokens: Tokens of a row.
        rounds: Timed steps of each way.
        steps: Steps of the run that compiling is spread over.
        out: A JSON file for the numbers.
    """
    shape = SIZES[size]._replace(rows=rows, tokens=tokens)
    model = build_model(make_encoder(shape, 0.1), 2)
    base = random_params(model)
    params = [base | init_head(model, jax.random.key(seed)) for seed in range(seeds)]
    batches = [make_batch(shape, model.config.vocab_size, seed) for seed in range(seeds)]
    ways = {
        "one by one": _one_by_one(model, params, batches),
        **{way: _together(model, params, batches, way) for way in WAYS},
    }
    times = seconds_in_turns({name: way.step for name, way in ways.items()}, rounds)
    bound = _bytes(base) + seeds * _state_bytes(model, base)
    alone = times["one by one"]
    found = {name: _row(way, times[name], alone, steps) for name, way in ways.items()}
    whole = found["one by one"]["run_seconds"]
    for row in found.values():
        row |= {"run_ratio": row["run_seconds"] / whole, "bound_bytes": bound}
    _print(f"{seeds} seeds, {size}, {rows} x {tokens}, {jax.default_backend()}", found)
    if out:
        out.write_text(json.dumps(found, indent=2))


def _row(way: Timed, seconds: list[float], alone: list[float], steps: int) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {
        "median_seconds": median,
        "ratio": median_ratio(seconds, alone),
        "seconds": seconds,
        "compile_seconds": way.compile_seconds,
        "run_seconds": way.compile_seconds + steps * median,
        "argument_bytes": way.argument_bytes,
        "temp_bytes": way.temp_bytes,
    }


def _together(
    model: Model, params: Sequence[Params], batches: Sequence[dict[str, Any]], way: Way
) -> Timed:
    seeds = Seeds(params, way)
    adaptation = make_adaptation(AdaptationConfig(), model)
    optimizer = make_optimizer(OptimizerConfig(learning_rate=1e-4), 1000)
    train_step = make_train_step(model, adaptation, optimizer, make_loss("classification"), seeds)
    states = [
        init_state(adaptation, optimizer, mine, jax.random.key(seed))
        for seed, mine in enumerate(params)
    ]
    holder = [seeds.stack(states)]
    batch = seeds.stack(batches)
    start = time.perf_counter()
    compiled = train_step.lower(holder[0], seeds.params, batch).compile()  # pyright: ignore[reportFunctionMemberAccess]
    seconds = time.perf_counter() - start

    def step() -> None:
        holder[0], _ = compiled(holder[0], seeds.params, batch)
        jax.block_until_ready(holder[0])

    memory = compiled.memory_analysis()
    return Timed(step, seconds, memory.argument_size_in_bytes, memory.temp_size_in_bytes)


def _one_by_one(model: Model, params: Sequence[Params], batches: Sequence[dict[str, Any]]) -> Timed:
    """A process for each seed would compile for itself, and hold a base of its own."""
    runs = [
        _together(model, [mine], [batch], "vmap")
        for mine, batch in zip(params, batches, strict=True)
    ]

    def step() -> None:
        for run in runs:
            run.step()

    compiling = sum(run.compile_seconds for run in runs)
    return Timed(
        step,
        compiling,
        sum(run.argument_bytes for run in runs),
        sum(run.temp_bytes for run in runs),
    )


def _state_bytes(model: Model, base: Params) -> int:
    """Scores, head and their optimizer's state of one seed."""
    adaptation = make_adaptation(AdaptationConfig(), model)
    optimizer = make_optimizer(OptimizerConfig(), 1000)
    trainable = jax.eval_shape(adaptation.init, jax.random.key(0), base)
    return _bytes((trainable, jax.eval_shape(optimizer.init, trainable)))


def _bytes(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _print(title: str, rows: dict[str, Any]) -> None:
    columns = ("median s", "ratio", "compile s", "run s", "ratio", "arguments MB", "temp MB")
    table = Table("seeds", *columns, "bound MB", title=title)
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row['median_seconds']:.3f}",
            f"{row['ratio']:.2f}",
            f"{row['compile_seconds']:.1f}",
            f"{row['run_seconds']:.0f}",
            f"{row['run_ratio']:.2f}",
            *(f"{row[key] / 1e6:,.0f}" for key in ("argument_bytes", "temp_bytes", "bound_bytes")),
        )
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
