"""Token ids to hidden states: the embeddings and the stack of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.attention import padding_bias
from maskjax.models.block import Block
from maskjax.models.config import EncoderConfig
from maskjax.models.layers import Dense, LayerNorm, dropout, site_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Float32, Int, PRNGKeyArray

Inputs = Mapping[str, jax.Array]
"""`input_ids`, `attention_mask` (1 = token, 0 = padding) and `token_type_ids`.

Each is [batch, seq] int32."""


class Embedding(nnx.Module):
    """A table of vectors.

    Attributes:
        embedding: [rows, size].
    """

    def __init__(self, rows: int, size: int) -> None:
        self.embedding = nnx.Param(jnp.zeros((rows, size), jnp.float32))

    def __call__(self, ids: Int[Array, "*ids"]) -> Float32[Array, "*ids size"]:
        """Looks the vectors up."""
        return self.embedding[...][ids].astype(jnp.float32)


class Embeddings(nnx.Module):
    """The sum of token, token type and position embeddings, as far as there are any, normalized."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        size = config.embedding_size
        self.word_embeddings = Embedding(config.vocab_size, size)
        if config.has_position_table:
            rows = config.position_offset + config.max_positions
            self.position_embeddings = Embedding(rows, size)
        if config.type_vocab_size:
            self.token_type_embeddings = Embedding(config.type_vocab_size, size)
        if config.normalizes_embeddings:
            epsilon, has_bias = config.layer_norm_eps, config.biases
            self.LayerNorm = LayerNorm(size, epsilon, dtype, has_bias=has_bias)
        self.dtype = dtype
        self.config = config

    def __call__(self, inputs: Inputs, key: PRNGKeyArray | None) -> Float[Array, "tokens hidden"]:
        """Embeds a batch."""
        x = self.look_up(inputs)
        x = self.LayerNorm(x) if self.config.normalizes_embeddings else x.astype(self.dtype)
        return dropout(x, self.config.embedding_dropout, key)

    def look_up(self, inputs: Inputs) -> Float32[Array, "tokens size"]:
        """Adds the vectors of each token."""
        ids = inputs["input_ids"]
        x = self.word_embeddings(ids) * self._scale()
        if self.config.type_vocab_size:
            x = x + self.token_type_embeddings(self._token_types(inputs))
        if self.config.has_position_table:
            x = x + self.position_embeddings(position_ids(ids, self.config))
        return x.reshape(-1, self.config.embedding_size)

    def _scale(self) -> jax.Array:
        """The square root of the width as the compute dtype holds it, or one."""
        scale = self.config.embedding_size**0.5 if self.config.scales_embeddings else 1.0
        return jnp.asarray(scale, self.dtype).astype(jnp.float32)

    def _token_types(self, inputs: Inputs) -> jax.Array:
        if self.config.uses_token_types:
            return inputs["token_type_ids"]
        return jnp.zeros((1, 1), jnp.int32)


def position_ids(
    input_ids: Int[Array, "batch seq"], config: EncoderConfig
) -> Int[Array, "rows seq"]:
    """Numbers the tokens.

    Where positions count tokens, those that are not padding begin at `pad_token_id + 1`, and all
    padding has the position `pad_token_id` (`create_position_ids_from_input_ids` in transformers).
    """
    if config.positions == "columns":
        return jnp.arange(input_ids.shape[1], dtype=jnp.int32)[None, :]
    is_token = (input_ids != config.pad_token_id).astype(jnp.int32)
    return jnp.cumsum(is_token, axis=1) * is_token + config.pad_token_id


class Blocks(nnx.Module):
    """The blocks as attributes named "0", "1", ...: the parameter paths need string keys.

    `nnx.List` has integer keys, and `nnx.Dict` is missing in flax 0.11, which Colab ships.
    """

    def __init__(self, blocks: Iterable[nnx.Module]) -> None:
        for i, block in enumerate(blocks):
            setattr(self, str(i), block)

    def at(self, number: int, *, remat: bool) -> Callable[..., jax.Array]:
        """A block; with `remat` the backward pass computes what is inside of it again."""
        block = getattr(self, str(number))
        return jax.checkpoint(block) if remat else block


class Stack(nnx.Module):
    """The blocks, applied in turn, or the one block again and again."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool) -> None:
        self.layer = Blocks(Block(config, dtype) for _ in range(config.num_blocks))
        if config.relative_buckets:
            self.relative_attention_bias = Embedding(config.relative_buckets, config.num_heads)
        self.config = config
        self.remat = remat

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        padding: Float32[Array, "batch 1 1 seq"],
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "tokens hidden"], ...]:
        """Returns what goes into the first block and what comes out of each."""
        biases = (*self._relative_bias(padding.shape[-1]), padding)
        states = [x]
        for i in range(self.config.num_layers):
            block = self.layer.at(i % self.config.num_blocks, remat=self.remat)
            states.append(block(states[-1], biases, site_key(key, i)))
        return tuple(states)

    def _relative_bias(self, seq: int) -> tuple[Float32[Array, "1 heads seq seq"], ...]:
        if not self.config.relative_buckets:
            return ()
        buckets = distance_buckets(seq, self.config.relative_buckets)
        by_distance = self.relative_attention_bias(jnp.asarray(buckets)).T
        token = jnp.arange(seq)
        return (by_distance[:, token[:, None] - token[None, :] + seq - 1][None],)


def distance_buckets(seq: int, buckets: int, longest: int = 128) -> np.ndarray:
    """Numbers the distances 1 - seq to seq - 1 between two tokens, int32 [2 * seq - 1].

    This is T5's numbering: half of the buckets for each direction, near distances exactly, far ones
    by their logarithm (arXiv 1910.10683).
    """
    distance = np.arange(1 - seq, seq)
    half = buckets // 2
    exact = half // 2
    far = np.log(np.maximum(np.abs(distance), 1).astype(np.float32) / np.float32(exact))
    far = exact + (far / np.float32(np.log(longest / exact)) * (half - exact)).astype(np.int32)
    size = np.where(np.abs(distance) < exact, np.abs(distance), np.minimum(far, half - 1))
    return (half * (distance < 0) + size).astype(np.int32)


class Encoder(nnx.Module):
    """An encoder whose blocks are BERT's, without head."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool = False) -> None:
        self.embeddings = Embeddings(config, dtype)
        if config.projects_embeddings or config.embedding_size != config.hidden_size:
            self.embeddings_project = Dense(config.embedding_size, config.hidden_size, dtype)
        self.encoder = Stack(config, dtype, remat)

    def __call__(
        self, inputs: Inputs, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch seq hidden"], ...]:
        """Encodes a batch."""
        x = self.embeddings(inputs, site_key(key, 0))
        if hasattr(self, "embeddings_project"):
            x = self.embeddings_project(x)
        bias = padding_bias(inputs["attention_mask"])
        states = self.encoder(x, bias, site_key(key, 1))
        batch, seq = inputs["input_ids"].shape
        return tuple(state.reshape(batch, seq, -1) for state in states)
