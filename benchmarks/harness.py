"""What timings share: sizes with random weights and rows, calls in turns, and lines of output."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from maskjax.models import EncoderConfig, Model, read_config


class Size(NamedTuple):
    """An encoder and the batch that it is timed on; a dense encoder has no windows."""

    num_layers: int
    hidden_size: int
    intermediate_size: int
    rows: int
    tokens: int = 64
    heads: int = 12
    family: str = "bert"
    dense: bool = False


OTHER_KEYS = {
    "deberta-v2": {  # as in DeBERTa-v3-base
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_buckets": 256,
        "position_biased_input": False,
    },
}
"""Keys of `config.json` that a family does not share with BERT."""
SIZES = {
    "minilm": Size(6, 384, 1536, rows=32),
    "base": Size(12, 768, 3072, rows=16),
}


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call, and its seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def seconds_in_turns(
    calls: Mapping[str, Callable[[], Any]], rounds: int, *, warm_up: int = 1
) -> dict[str, list[float]]:
    """Times calls in turns, so that a change of the machine's speed meets all of them.

    Args:
        calls: What is timed, by name.
        rounds: Timed calls of each.
        warm_up: Calls of each before the first timed one.

    Returns:
        `{name: seconds of each round}`.
    """
    for _ in range(warm_up):
        for call in calls.values():
            call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call)[1])
    return seconds


def median_ratio(seconds: Sequence[float], reference: Sequence[float]) -> float:
    """The median of the ratios of rounds, which took place at the same speed of the machine."""
    return statistics.median(a / b for a, b in zip(seconds, reference, strict=True))


def make_encoder(size: Size, dropout: float) -> EncoderConfig:
    """An encoder of this size, with this rate of all dropout."""
    config = read_config(encoder_values(size), "benchmark").with_dropout(dropout)
    return dataclasses.replace(config, windows=()) if size.dense else config


def encoder_values(size: Size) -> dict[str, Any]:
    """The `config.json` of an encoder of this size."""
    return OTHER_KEYS.get(size.family, {}) | {
        "model_type": size.family,
        "vocab_size": 30522,
        "hidden_size": size.hidden_size,
        "num_hidden_layers": size.num_layers,
        "num_attention_heads": size.heads,
        "intermediate_size": size.intermediate_size,
        "max_position_embeddings": max(512, size.tokens),
    }


def random_params(model: Model) -> dict[str, Any]:
    """Weights as small as those of a pretrained model."""
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(0.02 * random.standard_normal(leaf.shape), leaf.dtype),
        model.abstract,
    )


def make_batch(size: Size, vocabulary: int, seed: int = 0) -> dict[str, Any]:
    """Rows of random tokens without padding, labeled at random."""
    random = np.random.default_rng(seed)
    shape = (size.rows, size.tokens)
    return {
        "input_ids": random.integers(1000, vocabulary, shape).astype(np.int32),
        "attention_mask": np.ones(shape, np.int32),
        "token_type_ids": np.zeros(shape, np.int32),
        "labels": random.integers(0, 2, size.rows).astype(np.int32),
        "weights": np.ones(size.rows, np.float32),
    }


def say(line: str) -> None:
    """Prints a line at any width."""
    Console().print(line, highlight=False, markup=False, soft_wrap=True)
