"""The transformer block of BERT and its relatives (arXiv 1706.03762, section 3).

Attributes are named so that the paths of the parameters are those of a BERT checkpoint.
Activations stay [batch * seq, hidden] between the dense layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.attention import Projected, attend, merge_heads, split_heads
from maskjax.models.config import EncoderConfig
from maskjax.models.layers import ACTIVATIONS, Dense, LayerNorm, dropout, site_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, PRNGKeyArray

Biases = tuple[jax.Array, ...]
"""What is added to attention scores: a bias per head and distance, float32 [1, heads, seq, seq],
where the family has it; and last a bias that excludes padding, float32 [batch, 1, 1 or seq, seq].
`maskjax.models.disentangled` has embeddings of distances in place of the first."""


class SelfAttention(nnx.Module):
    """Scaled dot-product attention in several heads."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        size = config.hidden_size
        self.query = Dense(size, size, dtype)
        self.key = Dense(size, size, dtype)
        self.value = Dense(size, size, dtype)
        self.config = config

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        biases: Biases,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Lets each token gather values from the tokens of its sequence."""
        batch, size = biases[-1].shape[0], self.config.head_size
        projections = (self.query, self.key, self.value)
        projected = Projected(*(split_heads(project(x), batch, size) for project in projections))
        return merge_heads(attend(projected, biases, self.config.attention_dropout, key))


class ResidualOutput(nnx.Module):
    """The end of both halves of a block: dense, dropout, residual addition, layer norm."""

    def __init__(
        self, in_size: int, config: EncoderConfig, dropout_rate: float, dtype: DTypeLike
    ) -> None:
        self.dense = Dense(in_size, config.hidden_size, dtype)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps, dtype)
        self.rate = dropout_rate

    def __call__(
        self,
        x: Float[Array, "rows in"],
        residual: Float[Array, "rows hidden"],
        key: PRNGKeyArray | None,
    ) -> Float[Array, "rows hidden"]:
        """Adds the residual and normalizes."""
        return self.LayerNorm(residual + dropout(self.dense(x), self.rate, key))


class Attention(nnx.Module):
    """The first half of a block."""

    make_self: type[SelfAttention] = SelfAttention

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.self = self.make_self(config, dtype)
        rate = config.hidden_dropout if config.drops_attention_output else 0.0
        self.output = ResidualOutput(config.hidden_size, config, rate, dtype)

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        biases: Biases,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Attends, with the biases added to the attention scores."""
        context = self.self(x, biases, site_key(key, 0))
        return self.output(context, x, site_key(key, 1))


class Intermediate(nnx.Module):
    """The widening layer of the feed-forward half, and its activation."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.dense = Dense(config.hidden_size, config.intermediate_size, dtype)
        self.activation = ACTIVATIONS[config.activation]

    def __call__(self, x: Float[Array, "rows hidden"]) -> Float[Array, "rows intermediate"]:
        """Widens each row."""
        return self.activation(self.dense(x))


class Block(nnx.Module):
    """Attention, then a feed-forward network for each token."""

    make_attention: type[Attention] = Attention

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.attention = self.make_attention(config, dtype)
        self.intermediate = Intermediate(config, dtype)
        rate = config.hidden_dropout if config.drops_output else 0.0
        self.output = ResidualOutput(config.intermediate_size, config, rate, dtype)

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        biases: Biases,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Maps the hidden state below the block to the one above it."""
        x = self.attention(x, biases, site_key(key, 0))
        return self.output(self.intermediate(x), x, site_key(key, 1))
