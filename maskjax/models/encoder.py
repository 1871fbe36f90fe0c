"""Token ids to hidden states: the embeddings and the stack of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.block import Block
from maskjax.models.config import EncoderConfig
from maskjax.models.layers import LayerNorm, dropout, site_key

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
    """The sum of token, token type and position embeddings, normalized."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        size = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, size)
        self.position_embeddings = Embedding(config.position_offset + config.max_positions, size)
        if config.type_vocab_size:
            self.token_type_embeddings = Embedding(config.type_vocab_size, size)
        self.LayerNorm = LayerNorm(size, config.layer_norm_eps, dtype)
        self.config = config

    def __call__(self, inputs: Inputs, key: PRNGKeyArray | None) -> Float[Array, "tokens hidden"]:
        """Embeds a batch."""
        ids = inputs["input_ids"]
        x = self.word_embeddings(ids)
        if self.config.type_vocab_size:
            x = x + self.token_type_embeddings(self._token_types(inputs))
        x = x + self.position_embeddings(position_ids(ids, self.config))
        x = self.LayerNorm(x.reshape(-1, self.config.hidden_size))
        return dropout(x, self.config.hidden_dropout, key)

    def _token_types(self, inputs: Inputs) -> jax.Array:
        if self.config.family == "roberta":  # one type for all tokens, also those of a second text
            return jnp.zeros((1, 1), jnp.int32)
        return inputs["token_type_ids"]


def position_ids(
    input_ids: Int[Array, "batch seq"], config: EncoderConfig
) -> Int[Array, "rows seq"]:
    """Numbers the tokens.

    BERT and DistilBERT count columns. RoBERTa counts the tokens that are not padding, from
    `pad_token_id + 1`, and gives all padding the position `pad_token_id`
    (`create_position_ids_from_input_ids` in transformers).
    """
    if config.family != "roberta":
        return jnp.arange(input_ids.shape[1], dtype=jnp.int32)[None, :]
    is_token = (input_ids != config.pad_token_id).astype(jnp.int32)
    return jnp.cumsum(is_token, axis=1) * is_token + config.pad_token_id


def attention_bias(attention_mask: Int[Array, "batch seq"]) -> Float32[Array, "batch 1 1 seq"]:
    """The additive bias that excludes padding from attention."""
    lowest = jnp.finfo(jnp.float32).min
    bias = jnp.where(attention_mask != 0, jnp.float32(0), jnp.float32(lowest))
    return bias[:, None, None, :]


class Blocks(nnx.Module):
    """The blocks as attributes named "0", "1", ...: the parameter paths need string keys.

    `nnx.List` has integer keys, and `nnx.Dict` is missing in flax 0.11, which Colab ships.
    """

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        for i in range(config.num_layers):
            setattr(self, str(i), Block(config, dtype))


class Stack(nnx.Module):
    """The blocks, applied in turn."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool) -> None:
        self.layer = Blocks(config, dtype)
        self.num_layers = config.num_layers
        self.remat = remat

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        bias: Float32[Array, "batch 1 1 seq"],
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "tokens hidden"], ...]:
        """Returns the input of the first block and the output of each block."""
        states = [x]
        for i in range(self.num_layers):
            block = getattr(self.layer, str(i))
            block = jax.checkpoint(block) if self.remat else block
            states.append(block(states[-1], bias, site_key(key, i)))
        return tuple(states)


class Encoder(nnx.Module):
    """A BERT, RoBERTa or DistilBERT without head (arXiv 1810.04805, 1907.11692, 1910.01108)."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool = False) -> None:
        self.embeddings = Embeddings(config, dtype)
        self.encoder = Stack(config, dtype, remat)

    def __call__(
        self, inputs: Inputs, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch seq hidden"], ...]:
        """Encodes a batch."""
        x = self.embeddings(inputs, site_key(key, 0))
        bias = attention_bias(inputs["attention_mask"])
        states = self.encoder(x, bias, site_key(key, 1))
        batch, seq = inputs["input_ids"].shape
        return tuple(state.reshape(batch, seq, -1) for state in states)
