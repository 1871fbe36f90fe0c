"""DeBERTa's encoder: attention to contents and to distances apart (arXiv 2006.03654).

The blocks are BERT's, but a score is the product of a query and a key and, besides, of either with
the embedding of their distance. The paths of the parameters are BERT's as far as BERT has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.attention import (
    Projected,
    attend,
    exclude,
    merge_heads,
    multiply,
    split_heads,
)
from maskjax.models.block import Attention, Biases, Block, SelfAttention
from maskjax.models.config import EncoderConfig
from maskjax.models.convolution import ConvolutionLayer
from maskjax.models.encoder import Blocks, Embedding, Embeddings, Inputs
from maskjax.models.layers import Dense, LayerNorm, dropout, site_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Float32, Int, PRNGKeyArray

BLOCK = 128
"""How many tokens at most share the products with embeddings: the width of a TPU's units."""


class DisentangledSelfAttention(SelfAttention):
    """Attention whose scores know distances; biases are their embeddings and that of padding."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        super().__init__(config, dtype)
        if config.disentangled is None:
            raise ValueError("Expected a configuration with embeddings of distances, got none.")
        self.distances, size = config.disentangled, config.hidden_size
        if self.distances.content_to_position and not self.distances.shares_projections:
            self.position_key = Dense(size, size, dtype)
        if self.distances.position_to_content and not self.distances.shares_projections:
            self.position_query = Dense(size, size, dtype)

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        biases: Biases,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Lets each token gather values from the tokens of its sequence."""
        positions, padding = biases
        batch, size = padding.shape[0], self.config.head_size
        # Heads come first, for the embeddings of distances have heads and no rows.
        queries, keys, values = (
            split_heads(project(x), batch, size).swapaxes(0, 1)
            for project in (self.query, self.key, self.value)
        )
        positions = dropout(positions, self.config.hidden_dropout, site_key(key, 0))
        scale = ((1 + self.distances.terms) * size) ** -0.5
        biases = (scale * self._scores(queries, keys, positions), padding.swapaxes(0, 1))
        rate = self.config.attention_dropout
        projected = Projected(queries, keys, values)
        context = attend(projected, biases, rate, site_key(key, 1), scale)
        return merge_heads(context.swapaxes(0, 1))

    def _scores(
        self,
        queries: Float[Array, "heads batch seq size"],
        keys: Float[Array, "heads batch seq size"],
        positions: Float[Array, "numbers hidden"],
    ) -> Float32[Array, "heads batch seq seq"]:
        """The products with embeddings of distances."""
        shared, terms, seq = self.distances.shares_projections, [], queries.shape[2]
        reach = reach_of(seq)
        first = self.distances.number(np.array([-reach]))[0]
        numbers = self.distances.number(np.arange(-seq, reach)) - first
        if self.distances.content_to_position:
            table = (self.key if shared else self.position_key)(positions)
            terms.append(distance_scores(queries, table, numbers[::-1]))
        if self.distances.position_to_content:
            table = (self.query if shared else self.position_query)(positions)
            numbers = self.distances.number(np.arange(1 - reach, seq + 1)) - first
            terms.append(distance_scores(keys, table, numbers).swapaxes(-1, -2))
        return sum(terms[1:], terms[0])


def reach_of(seq: int) -> int:
    """The length of a sequence that is cut into equal blocks of at most `BLOCK` tokens."""
    count = -(-seq // BLOCK)
    return -(-seq // count) * count


def distance_scores(
    x: Float[Array, "heads batch seq size"],
    table: Float[Array, "numbers hidden"],
    numbers: np.ndarray,
) -> Float32[Array, "heads batch seq seq"]:
    """Multiplies each token by the embedding of its distance to each token.

    PyTorch multiplies by all of the R embeddings and then gathers one number for each pair. Such a
    gather and the sum in its gradient are slow on every device, most on a TPU. Here each product
    is with the embedding of a distance, of which a block of T tokens has seq + T - 1, and a row is
    that of the token before, shifted by one. So the numbers are in place once they are read in rows
    that are one shorter. These are 2 heads seq (seq + T) size operations for a sequence in place of
    2 heads seq R size, with T up to 128 and R = 512 in DeBERTa-v3, and two copies.

    Args:
        x: Queries or keys.
        table: The projected embeddings of distances.
        numbers: The row of the table for each distance to another token, from the distance of the
            last token of `reach_of(seq)` to the first token, to that of the first one to
            the token after the last.

    Returns:
        The products, [..., token of x, other token].
    """
    heads, batch, seq, size = x.shape
    reach = reach_of(seq)
    count = -(-seq // BLOCK)
    rows = reach // count
    by_distance = _take(table, numbers)
    starts = range(reach - rows, -1, -rows)
    windows = jnp.stack([by_distance[start : start + seq + rows] for start in starts])
    windows = windows.reshape(count, seq + rows, heads, size).transpose(2, 0, 1, 3)
    blocks = jnp.pad(x, [(0, 0), (0, 0), (0, reach - seq), (0, 0)])
    blocks = blocks.reshape(heads, batch, count, rows, size).swapaxes(1, 2)
    blocks = blocks.reshape(heads, count, batch * rows, size)
    products = multiply(blocks, windows, contract=(-1, -1), dtype=jnp.float32)
    products = products.reshape(heads, count, batch, rows * (seq + rows))
    shifted = products[..., rows - 1 : rows - 1 + rows * (seq + rows - 1)]
    scores = shifted.reshape(heads, count, batch, rows, seq + rows - 1)[..., :seq]
    return scores.swapaxes(1, 2).reshape(heads, batch, reach, seq)[:, :, :seq]


def _take(table: Float[Array, "numbers hidden"], rows: np.ndarray) -> Float[Array, "rows hidden"]:
    """Takes rows of a table; consecutive ones by a slice, whose gradient adds nothing up."""
    if rows[0] > rows[-1]:
        return _take(table, rows[::-1])[::-1]
    if (np.diff(rows) == 1).all():
        return table[rows[0] : rows[-1] + 1]
    return table[jnp.asarray(rows)]


class DisentangledAttention(Attention):
    """The first half of a block."""

    make_self = DisentangledSelfAttention


class DisentangledBlock(Block):
    """Attention, then a feed-forward network for each token."""

    make_attention = DisentangledAttention


class DisentangledStack(nnx.Module):
    """The blocks, applied in turn, with the embeddings of distances, which all share."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool) -> None:
        make_block = DisentangledBlock if config.disentangled else Block
        self.layer = Blocks(make_block(config, dtype) for _ in range(config.num_layers))
        if config.disentangled:
            self.rel_embeddings = Embedding(2 * config.disentangled.span, config.hidden_size)
        if config.disentangled and config.disentangled.has_norm:
            self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps, dtype)
        if config.convolution:
            self.conv = ConvolutionLayer(config.convolution, config, dtype)
        self.config = config
        self.dtype = dtype
        self.remat = remat

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "tokens hidden"], ...]:
        """Returns what goes into the first block and what comes out of each."""
        is_token = mask != 0
        padding = exclude(is_token[:, None, :, None] & is_token[:, None, None, :])
        biases = (*self._positions(mask.shape[1]), padding)
        states = [x]
        for i in range(self.config.num_layers):
            block = self.layer.at(i, remat=self.remat)
            states.append(block(states[-1], biases, site_key(key, i)))
            if i == 0 and self.config.convolution:
                states[-1] = self.conv(x, states[-1], mask, site_key(key, self.config.num_layers))
        return tuple(states)

    def _positions(self, seq: int) -> tuple[Float[Array, "numbers hidden"], ...]:
        """The embeddings of the distances that a sequence of this length has."""
        if self.config.disentangled is None:
            return ()
        reach = reach_of(seq)
        first, last = self.config.disentangled.number(np.array([-reach, reach]))
        table = self.rel_embeddings.embedding[...][first : last + 1]
        return (self.LayerNorm(table) if hasattr(self, "LayerNorm") else table.astype(self.dtype),)


class DisentangledEmbeddings(Embeddings):
    """The embeddings, whose norm may follow a projection."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        super().__init__(config, dtype)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps, dtype)

    def normalize(
        self,
        x: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Normalizes each token; padding becomes zero."""
        x = jnp.where((mask != 0).reshape(-1, 1), self.LayerNorm(x), 0)
        return dropout(x, self.config.embedding_dropout, key)


class DisentangledEncoder(nnx.Module):
    """The encoder, without head."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike, remat: bool = False) -> None:
        self.embeddings = DisentangledEmbeddings(config, dtype)
        if config.embedding_size != config.hidden_size:
            size = config.hidden_size
            self.embeddings_project = Dense(config.embedding_size, size, dtype, has_bias=False)
        self.encoder = DisentangledStack(config, dtype, remat)

    def __call__(
        self, inputs: Inputs, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch seq hidden"], ...]:
        """Encodes a batch."""
        mask = inputs["attention_mask"]
        x = self.embeddings.look_up(inputs)
        if hasattr(self, "embeddings_project"):
            x = self.embeddings_project(x)
        x = self.embeddings.normalize(x, mask, site_key(key, 0))
        states = self.encoder(x, mask, site_key(key, 1))
        return tuple(state.reshape(*mask.shape, -1) for state in states)
