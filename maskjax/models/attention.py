"""Scaled dot-product attention over all tokens of a sequence, or over those within a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from maskjax.models.layers import dropout

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Float32, Int, PRNGKeyArray


def split_heads(
    x: Float[Array, "tokens hidden"], batch: int, head_size: int
) -> Float[Array, "batch heads seq size"]:
    """Gives each head its part of the rows."""
    return x.reshape(batch, x.shape[0] // batch, -1, head_size).transpose(0, 2, 1, 3)


def merge_heads(x: Float[Array, "batch heads seq size"]) -> Float[Array, "tokens hidden"]:
    """The inverse of `split_heads`."""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0] * x.shape[2], -1)


class Projected(NamedTuple):
    """Queries, keys and values, each [*batch, seq, size]; keys and values may be of another length.

    The batch is that of rows and heads, and of blocks where a sequence is cut into them.
    """

    queries: jax.Array
    keys: jax.Array
    values: jax.Array


def attend(
    x: Projected,
    biases: Sequence[Float32[Array, ...]],
    rate: float,
    key: PRNGKeyArray | None,
    scale: float | None = None,
) -> Float[Array, "*batch seq size"]:
    """Lets each query gather values.

    Products are multiplied by `scale`, by default the inverse root of the size. Scores and softmax
    are float32. The biases are added to the scores [*batch, seq, keys], and a dropout of `rate` is
    applied to the attention probabilities.
    """
    scores = multiply(x.queries, x.keys, contract=(-1, -1), dtype=jnp.float32)
    scores = scores * (x.queries.shape[-1] ** -0.5 if scale is None else scale)
    for bias in biases:
        scores = scores + bias
    weights = dropout(jax.nn.softmax(scores), rate, key).astype(x.queries.dtype)
    return multiply(weights, x.values, contract=(-1, -2), dtype=x.queries.dtype)


def attend_nearby(
    x: Projected,
    is_token: Bool[Array, "batch seq"],
    window: int,
    rate: float,
    key: PRNGKeyArray | None,
) -> Float[Array, "batch heads seq size"]:
    """Lets each query gather the values at most `window` tokens away.

    A long sequence is cut into blocks of two windows. Each sees its own keys and those of a window
    before and after it, so that time and memory grow with the length and not with its square.
    """
    batch, heads, seq, size = x.queries.shape
    if seq <= 4 * window:
        place = jnp.arange(seq)
        near = jnp.abs(place[:, None] - place[None, :]) <= window
        return attend(x, [exclude(near[None, None] & is_token[:, None, None, :])], rate, key)
    blocks = Projected(
        _blocks(x.queries, window),
        _with_neighbors(_blocks(x.keys, window), window),
        _with_neighbors(_blocks(x.values, window), window),
    )
    query, other = jnp.arange(2 * window)[:, None], jnp.arange(4 * window)[None, :] - window
    near = jnp.abs(query - other) <= window
    tokens = _with_neighbors(_blocks(is_token[:, None, :, None], window), window)[..., 0]
    bias = exclude(near[None, None, None] & tokens[:, :, :, None, :])
    context = attend(blocks, [bias], rate, key)
    return context.reshape(batch, heads, -1, size)[:, :, :seq]


def exclude(allowed: Bool[Array, "*shape"]) -> Float32[Array, "*shape"]:
    """The additive bias that excludes what is not allowed."""
    return jnp.where(allowed, jnp.float32(0), jnp.finfo(jnp.float32).min)


def padding_bias(attention_mask: Int[Array, "batch seq"]) -> Float32[Array, "batch 1 1 seq"]:
    """The additive bias that excludes padding from attention."""
    return exclude(attention_mask != 0)[:, None, None, :]


def _blocks(x: jax.Array, window: int) -> jax.Array:
    """Cuts axis 2 into blocks of two windows, [..., blocks, 2 * window, ...], zeros at the end."""
    batch, heads, seq, *rest = x.shape
    count = -(-seq // (2 * window))
    missing = count * 2 * window - seq
    padded = jnp.pad(x, [(0, 0), (0, 0), (0, missing)] + [(0, 0)] * len(rest))
    return padded.reshape(batch, heads, count, 2 * window, *rest)


def _with_neighbors(blocks: jax.Array, window: int) -> jax.Array:
    """Adds to each block the tokens within a window before and after it; the ends have zeros."""
    ends = [(0, 0)] * (blocks.ndim - 3)
    before = jnp.pad(blocks[:, :, :-1, window:], [(0, 0), (0, 0), (1, 0), *ends])
    after = jnp.pad(blocks[:, :, 1:, :window], [(0, 0), (0, 0), (0, 1), *ends])
    return jnp.concatenate([before, blocks, after], axis=3)


def multiply(
    a: Float[Array, "*batch _ _"],
    b: Float[Array, "*batch _ _"],
    *,
    contract: tuple[int, int],
    dtype: DTypeLike,
) -> Float[Array, "*batch _ _"]:
    """Multiplies arrays over one axis of each; the leading axes are batches."""
    batch = tuple(range(a.ndim - 2))
    axes = ((contract[0] % a.ndim,), (contract[1] % b.ndim,))
    return jax.lax.dot_general(a, b, (axes, (batch, batch)), preferred_element_type=dtype)
