"""Encoders of today: norms before each half of a block, rotated queries and keys, gated halves.

The feed-forward half is a GEGLU (arXiv 2002.05202). Some blocks attend to all tokens, others to
those within a window. The paths of the parameters are BERT's as far as BERT has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.attention import (
    Projected,
    attend,
    attend_nearby,
    merge_heads,
    padding_bias,
    split_heads,
)
from maskjax.models.config import EncoderConfig
from maskjax.models.encoder import Blocks, Embeddings, Inputs
from maskjax.models.layers import ACTIVATIONS, Dense, LayerNorm, RMSNorm, dropout, site_key
from maskjax.models.rotary import Rotation, make_rotation, rotate

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int, PRNGKeyArray


def _dense(in_size: int, out_size: int, config: EncoderConfig, dtype: DTypeLike) -> Dense:
    return Dense(in_size, out_size, dtype, has_bias=config.biases)


def _norm(config: EncoderConfig, dtype: DTypeLike, size: int | None = None) -> LayerNorm | RMSNorm:
    """A norm over the features of a token, or over as many as a head has."""
    size, epsilon = size or config.hidden_size, config.layer_norm_eps
    if config.norm == "layer_norm":
        return LayerNorm(size, epsilon, dtype, has_bias=config.biases)
    return RMSNorm(size, epsilon, dtype, plus_one=config.norm == "rms_norm_plus_one")


class SelfAttention(nnx.Module):
    """Attention with rotated queries and keys, to all tokens or to those within a window."""

    def __init__(self, config: EncoderConfig, window: int, dtype: DTypeLike) -> None:
        size, shared = config.hidden_size, config.num_kv_heads * config.head_size
        self.query = _dense(size, config.num_heads * config.head_size, config, dtype)
        self.key = _dense(size, shared, config, dtype)
        self.value = _dense(size, shared, config, dtype)
        if config.normalizes_queries:
            self.query_norm = _norm(config, dtype, config.head_size)
            self.key_norm = _norm(config, dtype, config.head_size)
        self.config = config
        self.window = window

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        rotation: Rotation,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Lets each token gather values."""
        batch, size = mask.shape[0], self.config.head_size
        queries, keys, values = self.query(x), self.key(x), self.value(x)
        if self.config.normalizes_queries:
            queries, keys = _of_heads(self.query_norm, queries), _of_heads(self.key_norm, keys)
        queries, keys, values = (split_heads(x, batch, size) for x in (queries, keys, values))
        share = self.config.num_heads // self.config.num_kv_heads
        keys, values = (jnp.repeat(x, share, axis=1) for x in (rotate(keys, rotation), values))
        turned = Projected(rotate(queries, rotation), keys, values)
        rate = self.config.attention_dropout
        if self.window:
            context = attend_nearby(turned, mask != 0, self.window, rate, key)
        else:
            context = attend(turned, [padding_bias(mask)], rate, key)
        return merge_heads(context)


def _of_heads(
    norm: LayerNorm | RMSNorm, x: Float[Array, "tokens features"]
) -> Float[Array, "tokens features"]:
    """Normalizes the features of each head."""
    return norm(x.reshape(-1, norm.scale.shape[0])).reshape(x.shape)


class Output(nnx.Module):
    """The last product of both halves of a block, and its norm where there is one."""

    def __init__(self, in_size: int, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.dense = _dense(in_size, config.hidden_size, config, dtype)
        self.LayerNorm = _norm(config, dtype) if config.normalizes_outputs else None

    def __call__(self, x: Float[Array, "rows in"]) -> Float[Array, "rows hidden"]:
        """Returns what is added to the input of the half."""
        product = self.dense(x)
        return product if self.LayerNorm is None else self.LayerNorm(product)


class Attention(nnx.Module):
    """The first half of a block; the first block has no norm where the embeddings have one."""

    def __init__(self, config: EncoderConfig, number: int, dtype: DTypeLike) -> None:
        if number or not config.normalizes_embeddings:
            self.LayerNorm = _norm(config, dtype)
        window = config.windows[number] if config.windows else 0
        self.self = SelfAttention(config, window, dtype)
        self.output = Output(config.num_heads * config.head_size, config, dtype)
        self.rate = config.attention_dropout if config.drops_attention_output else 0.0

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        rotation: Rotation,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Attends, and adds the result to the input."""
        normal = self.LayerNorm(x) if hasattr(self, "LayerNorm") else x
        context = self.self(normal, mask, rotation, site_key(key, 0))
        return x + dropout(self.output(context), self.rate, site_key(key, 1))


class Intermediate(nnx.Module):
    """The widening of the feed-forward half: one product is activated and gated by another."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.LayerNorm = _norm(config, dtype)
        self.dense = _dense(config.hidden_size, config.intermediate_size, config, dtype)
        self.gate = _dense(config.hidden_size, config.intermediate_size, config, dtype)
        self.activation = ACTIVATIONS[config.activation]

    def __call__(self, x: Float[Array, "rows hidden"]) -> Float[Array, "rows intermediate"]:
        """Widens each row."""
        normal = self.LayerNorm(x)
        return self.activation(self.dense(normal)) * self.gate(normal)


class PreNormBlock(nnx.Module):
    """Attention, then a gated feed-forward network for each token."""

    def __init__(self, config: EncoderConfig, number: int, dtype: DTypeLike) -> None:
        self.attention = Attention(config, number, dtype)
        self.intermediate = Intermediate(config, dtype)
        self.output = Output(config.intermediate_size, config, dtype)
        self.rate = config.hidden_dropout

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        rotation: Rotation,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Maps the hidden state below the block to the one above it."""
        x = self.attention(x, mask, rotation, site_key(key, 0))
        wide = dropout(self.intermediate(x), self.rate, site_key(key, 1))
        return x + self.output(wide)


class PreNormStack(nnx.Module):
    """The blocks, applied in turn, and a last norm."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool) -> None:
        numbers = range(config.num_layers)
        self.layer = Blocks(PreNormBlock(config, number, dtype) for number in numbers)
        self.LayerNorm = _norm(config, dtype)
        self.config = config
        self.remat = remat

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "tokens hidden"], ...]:
        """Returns what goes into each block, and what comes out of the last norm."""
        seq, size = mask.shape[1], self.config.head_size
        rotations = {theta: make_rotation(seq, size, theta) for theta in set(self.config.thetas)}
        states = [x]
        for i, theta in enumerate(self.config.thetas):
            block = self.layer.at(i, remat=self.remat)
            states.append(block(states[-1], mask, rotations[theta], site_key(key, i)))
        return (*states[:-1], self.LayerNorm(states[-1]))


class PreNormEncoder(nnx.Module):
    """The encoder, without head."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool = False) -> None:
        self.embeddings = Embeddings(config, dtype)
        self.encoder = PreNormStack(config, dtype, remat)

    def __call__(
        self, inputs: Inputs, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch seq hidden"], ...]:
        """Encodes a batch."""
        x = self.embeddings(inputs, site_key(key, 0))
        states = self.encoder(x, inputs["attention_mask"], site_key(key, 1))
        batch, seq = inputs["input_ids"].shape
        return tuple(state.reshape(batch, seq, -1) for state in states)
