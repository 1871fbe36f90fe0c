"""Tiny encoders of the three families, and parameters for them."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.models import EncoderConfig, Model, build_model, read_config

# Few different shapes: each one is compiled for.
SHAPE = {"vocab_size": 8, "max_position_embeddings": 8}
BERT = {"hidden_size": 4, "num_attention_heads": 2, "intermediate_size": 4}
DISTILBERT = {"dim": 4, "n_heads": 2, "hidden_dim": 4}


@pytest.fixture(scope="session")
def encoder() -> Callable[..., EncoderConfig]:
    """Makes the configuration of a family with so many blocks."""

    def make(family: str = "bert", layers: int = 6) -> EncoderConfig:
        if family == "distilbert":
            rest = DISTILBERT | {"n_layers": layers}
        else:
            rest = BERT | {"num_hidden_layers": layers}
        return read_config({"model_type": family, **SHAPE, **rest}, "tiny")

    return make


@pytest.fixture(scope="session")
def model_of(encoder) -> Callable[..., Model]:
    """Makes the model of a family with so many blocks and two outputs."""
    return cache(lambda family="bert", layers=6: build_model(encoder(family, layers), 2))


@pytest.fixture(scope="session")
def parameters() -> Callable[[Model], dict]:
    """Makes random parameters, none of them zero."""

    def make(model: Model) -> dict:
        rng = np.random.default_rng(0)
        return jax.tree.map(
            lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), model.abstract
        )

    return make


@pytest.fixture(scope="session")
def move() -> Callable[[dict], dict]:
    """Moves a trainable away from its start, as if it had been trained."""

    def apply(trainable: dict) -> dict:
        rng = np.random.default_rng(1)
        return jax.tree.map(
            lambda leaf: jnp.asarray(leaf + rng.normal(0, 0.5, leaf.shape), leaf.dtype),
            jax.tree.map(np.asarray, trainable),
        )

    return apply
