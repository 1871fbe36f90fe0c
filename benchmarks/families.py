"""A family's base shape against its class in PyTorch: largest differences, and CPU time.

    taskset -c 0 python -m benchmarks.families --family deberta-v2
    taskset -c 0 python -m benchmarks.families --family mpnet --rows 8 --tokens 128 --train

Both run on one thread, in float32 and in turns with BERT of the same shape, so that the quotient of
the ratios shows what a family costs here that it does not cost there. PyTorch in float64 judges the
differences.
"""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
import tyro

from benchmarks.harness import Size, encoder_values, make_batch, say
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models import (
    ARCHITECTURES,
    Model,
    build_model,
    fused_paths,
    read_config,
    swap_layout,
    torch_name,
)

Inputs = Mapping[str, Any]
OUTPUTS = 3
VOCABULARY = 2000


class Pair(NamedTuple):
    """The class of transformers with random weights, our model, and the same weights for it."""

    oracle: Any
    model: Model
    params: Any


def main(
    *,
    family: str,
    layers: int = 12,
    rows: int = 2,
    tokens: int = 512,
    rounds: int = 5,
    train: bool = False,
) -> None:
    """Prints differences and times.

    Args:
        family: A `model_type`.
        layers: Blocks of 768 features.
        rows: Rows of a batch.
        tokens: Tokens of each row, of which the last one has padding in a fifth.
        rounds: Timed calls of each.
        train: Time the gradients of all weights too, not the forward pass alone.
    """
    torch.set_num_threads(1)
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for name in ("bert", family):
        size = Size(layers, 768, 3072, rows=rows, tokens=tokens, family=name)
        pair = make_pair(size)
        batch = make_batch(size, VOCABULARY)
        batch["attention_mask"][-1, -tokens // 5 :] = 0
        names = ("input_ids", "attention_mask", "token_type_ids")
        inputs = {column: batch[column] for column in names}
        if name == family:
            compare(pair, inputs)
        calls |= make_calls(name, pair, inputs, train)
    report(family, cpu_seconds(calls, rounds))


def make_pair(size: Size) -> Pair:
    """The models of a size."""
    values = encoder_values(size) | {"vocab_size": VOCABULARY, "num_labels": OUTPUTS}
    architecture = ARCHITECTURES[size.family]
    oracle_class = getattr(transformers, f"{architecture.torch_name}ForSequenceClassification")
    torch.manual_seed(0)
    oracle = oracle_class(oracle_class.config_class(**values)).eval()
    model = build_model(read_config(values, "benchmark"), OUTPUTS)
    prefix = f"{oracle.base_model_prefix}."
    state = {name.removeprefix(prefix): value for name, value in oracle.state_dict().items()}
    leaves = {}
    for path in flatten_with_paths(model.abstract):
        parts = fused_paths(path, size.family)
        part = state[torch_name(path, size.family)].chunk(len(parts))[parts.index(path)]
        leaves[path] = jnp.asarray(swap_layout(path, part.numpy()))
    return Pair(oracle, model, update_leaves(model.abstract, leaves))


def to_tensors(name: str, inputs: Inputs) -> dict[str, torch.Tensor]:
    """What a class of transformers takes."""
    unused = () if name == "bert" else ("token_type_ids",)
    return {column: torch.tensor(v).long() for column, v in inputs.items() if column not in unused}


def compare(pair: Pair, inputs: Inputs) -> None:
    """Prints the largest differences of hidden states and logits, ours and those of PyTorch."""
    oracle, model, params = pair
    run = jax.jit(lambda p: (*model.hidden_states(p, inputs), model.apply(p, inputs)))
    found = {"maskjax": [np.asarray(state) for state in run(params)]}
    for name, dtype in {"PyTorch": torch.float32, "float64": torch.float64}.items():
        with torch.no_grad():
            tensors = to_tensors(model.config.family, inputs)
            result = oracle.to(dtype)(**tensors, output_hidden_states=True)
        found[name] = [state.numpy() for state in (*result.hidden_states, result.logits)]
    oracle.to(torch.float32)
    pairs = (("maskjax", "PyTorch"), ("maskjax", "float64"), ("PyTorch", "float64"))
    for one, other in pairs:
        *hidden, logits = (
            float(np.abs(a - b).max()) for a, b in zip(found[one], found[other], strict=True)
        )
        say(f"{one} and {other}: hidden states {max(hidden):.1e}, logits {logits:.1e}")


def make_calls(
    name: str, pair: Pair, inputs: Inputs, train: bool
) -> dict[tuple[str, str], Callable[[], Any]]:
    """A pass here and one in PyTorch; with gradients, of the sum of squared logits."""
    oracle, model, params = pair
    tensors = to_tensors(name, inputs)
    forward = jax.jit(model.apply)
    gradient = jax.jit(jax.grad(lambda params, inputs: jnp.sum(model.apply(params, inputs) ** 2)))

    def in_torch() -> None:
        with torch.set_grad_enabled(train):
            logits = oracle(**tensors).logits
        if train:
            (logits**2).sum().backward()
            oracle.zero_grad()

    ours = gradient if train else forward
    return {
        ("maskjax", name): lambda: jax.block_until_ready(ours(params, inputs)),
        ("PyTorch", name): in_torch,
    }


def cpu_seconds(
    calls: Mapping[tuple[str, str], Callable[[], Any]], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """CPU time of calls in turns, which other processes disturb less than wall time."""
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if number:  # the first one compiles
                seconds[name].append(time.process_time() - start)
    return seconds


def report(family: str, seconds: Mapping[tuple[str, str], list[float]]) -> None:
    """Prints the times and their ratios, by the least and by the median."""
    for choose in (min, statistics.median):
        chosen = {name: choose(values) for name, values in seconds.items()}
        ratios = {}
        for library in ("maskjax", "PyTorch"):
            bert, other = chosen[library, "bert"], chosen[library, family]
            ratios[library] = other / bert
            times = f"{other:.3f} s, BERT {bert:.3f} s, ratio {ratios[library]:.3f}"
            say(f"{choose.__name__}, {library}: {times}")
        say(f"{choose.__name__}, quotient: {ratios['maskjax'] / ratios['PyTorch']:.3f}")


if __name__ == "__main__":
    tyro.cli(main)
