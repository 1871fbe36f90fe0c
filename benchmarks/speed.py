"""One training step of every method, and PyTorch's, timed in turns in one process.

    python -m benchmarks.speed                      # MiniLM 32 x 64 and BERT-base 16 x 64
    python -m benchmarks.speed --sizes minilm --rounds 20 --dtype bfloat16

Weights are random, rows have no padding, dropout is on (0.1, as the models were trained). Each
round makes one step of every method, so that a change of the machine's speed meets all of them;
medians and ratios are over the rounds. Counted for a step of dense products: 6 x weights x tokens
floating-point operations for finetuning and masking alike, 2 for forward and 4 for backward.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.harness import (
    SIZES,
    Size,
    make_batch,
    make_encoder,
    median_ratio,
    random_params,
    seconds_in_turns,
)
from maskjax.adaptation import make_adaptation
from maskjax.config import AdaptationConfig, OptimizerConfig
from maskjax.models import Model, build_model
from maskjax.training import init_state, make_loss, make_optimizer, make_train_step


class Timed(NamedTuple):
    """A step that can be repeated, and what the compiler says of it."""

    step: Callable[[], None]
    compile_seconds: float | None
    temp_bytes: int | None


def main(
    *,
    sizes: tuple[str, ...] = tuple(SIZES),
    rounds: int = 12,
    dtype: str = "float32",
    dropout: float = 0.1,
    torch: bool = True,
    out: Path | None = None,
) -> None:
    """Prints a table for each size.

    Args:
        sizes: Some of minilm and base.
        rounds: Timed steps of each method.
        dtype: Dtype of activations and products.
        dropout: Rate of all dropout; 0 turns it off in JAX and PyTorch alike.
        torch: Also time PyTorch's masked step, written as the paper's reference code does it.
        out: A JSON file for the numbers.
    """
    found = {name: _measure(SIZES[name], rounds, dtype, dropout, torch) for name in sizes}
    for name, rows in found.items():
        _print(f"{name}, {SIZES[name].rows} x {SIZES[name].tokens}, {dtype}", rows)
    if out:
        out.write_text(json.dumps(found, indent=2))


def methods(num_layers: int) -> dict[str, AdaptationConfig]:
    """What is timed, by name."""
    whole = (0, num_layers - 1)
    return {
        "finetune": AdaptationConfig(method="finetune"),
        "mask, all blocks": AdaptationConfig(blocks=whole),
        "mask, paper's blocks": AdaptationConfig(),
        "lora r=8": AdaptationConfig(method="lora"),
    }


def _measure(size: Size, rounds: int, dtype: str, dropout: float, torch: bool) -> dict[str, Any]:
    model = build_model(make_encoder(size, dropout), 2, compute_dtype=jnp.dtype(dtype))
    params = random_params(model)
    batch = make_batch(size, model.config.vocab_size)
    steps = {
        name: _jax_step(model, params, batch, config)
        for name, config in methods(size.num_layers).items()
    }
    if torch:
        from benchmarks.torch_reference import masked_step

        steps["torch, mask, all blocks"] = Timed(masked_step(model.config, batch), None, None)
    calls = {name: timed.step for name, timed in steps.items()}
    times = seconds_in_turns(calls, rounds, warm_up=2)
    return {name: _row(timed, times[name], times["finetune"]) for name, timed in steps.items()}


def _row(timed: Timed, seconds: list[float], finetune: list[float]) -> dict[str, Any]:
    return {
        "median_seconds": statistics.median(seconds),
        "ratio_to_finetune": median_ratio(seconds, finetune),
        "seconds": seconds,
        "compile_seconds": timed.compile_seconds,
        "temp_bytes": timed.temp_bytes,
    }


def _jax_step(
    model: Model, params: dict[str, Any], batch: dict[str, Any], config: AdaptationConfig
) -> Timed:
    adaptation = make_adaptation(config, model)
    optimizer = make_optimizer(OptimizerConfig(learning_rate=1e-4), 1000)
    train_step = make_train_step(model, adaptation, optimizer, make_loss("classification"))
    holder = [init_state(adaptation, optimizer, params, jax.random.key(0))]
    start = time.perf_counter()
    compiled = train_step.lower(holder[0], params, batch).compile()  # pyright: ignore[reportFunctionMemberAccess]
    seconds = time.perf_counter() - start

    def step() -> None:
        holder[0], _ = compiled(holder[0], params, batch)
        jax.block_until_ready(holder[0])

    return Timed(step, seconds, compiled.memory_analysis().temp_size_in_bytes)


def _print(title: str, rows: dict[str, Any]) -> None:
    torch_seconds = rows.get("torch, mask, all blocks", {}).get("median_seconds")
    table = Table("step", "median s", "/ finetune", "/ torch", "compile s", "temp MB", title=title)
    for name, row in rows.items():
        against = f"{row['median_seconds'] / torch_seconds:.2f}" if torch_seconds else ""
        compiling = "" if row["compile_seconds"] is None else f"{row['compile_seconds']:.1f}"
        temp = "" if row["temp_bytes"] is None else f"{row['temp_bytes'] / 1e6:,.0f}"
        table.add_row(
            name,
            f"{row['median_seconds']:.3f}",
            f"{row['ratio_to_finetune']:.2f}",
            against,
            compiling,
            temp,
        )
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
