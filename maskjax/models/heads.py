"""The heads of all families: a hidden state for each row of a task, or word, to its logits.

Each computes what a class of transformers computes: `...ForSequenceClassification`, which with one
output serves regression, `...ForTokenClassification`, `...ForMultipleChoice`. The files in
`maskjax.models.families` say which family has which head for which type of task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.config import EncoderConfig, Pooling
from maskjax.models.layers import ACTIVATIONS, Dense, LayerNorm, dropout, gelu, site_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Float32, Int, PRNGKeyArray


class Pooler(nnx.Module):
    """Dense, tanh: pretrained in BERT."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.dense = Dense(config.hidden_size, config.hidden_size, dtype)

    def __call__(self, rows: Float[Array, "rows hidden"]) -> Float[Array, "rows hidden"]:
        """Maps each row."""
        return jnp.tanh(self.dense(rows))


class NormedPooler(nnx.Module):
    """Dense, GELU, norm: pretrained in ModernBERT."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        size = config.hidden_size
        self.dense = Dense(size, size, dtype, has_bias=config.biases)
        self.LayerNorm = LayerNorm(size, config.layer_norm_eps, dtype, has_bias=config.biases)

    def __call__(self, rows: Float[Array, "rows hidden"]) -> Float[Array, "rows hidden"]:
        """Maps each row."""
        return self.LayerNorm(gelu(self.dense(rows)))


class PoolerHead(nnx.Module):
    """Pooler, dropout, dense."""

    make_pooler: type[Pooler | NormedPooler] = Pooler

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.pooler = self.make_pooler(config, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        return self.classifier(dropout(self.pooler(rows), self.rate, key))


class NormedPoolerHead(PoolerHead):
    """Pooler with a norm, dropout, dense."""

    make_pooler = NormedPooler


class ContextPoolerHead(PoolerHead):
    """Dropout, pooler with an activation of its own, dropout, dense."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        super().__init__(config, num_outputs, rate, dtype)
        self.activation = ACTIVATIONS[config.pooler_activation]
        self.pooler_rate = config.pooler_dropout

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        rows = dropout(rows, self.pooler_rate, site_key(key, 0))
        pooled = self.activation(self.pooler.dense(rows))
        return self.classifier(dropout(pooled, self.rate, site_key(key, 1)))


class DenseClassifier(nnx.Module):
    """Dropout, dense, activation, dropout, dense."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.dense = Dense(config.hidden_size, config.hidden_size, dtype)
        self.out_proj = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self,
        rows: Float[Array, "rows hidden"],
        activation: Callable[[jax.Array], jax.Array],
        key: PRNGKeyArray | None,
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        x = dropout(rows, self.rate, site_key(key, 0))
        x = activation(self.dense(x))
        return self.out_proj(dropout(x, self.rate, site_key(key, 1)))


class TanhHead(nnx.Module):
    """`DenseClassifier` with tanh."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.classifier = DenseClassifier(config, num_outputs, rate, dtype)

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        return self.classifier(rows, jnp.tanh, key)


class GeluHead(TanhHead):
    """`DenseClassifier` with GELU."""

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        return self.classifier(rows, gelu, key)


class Summary(nnx.Module):
    """The dense layer of `SummaryHead`."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.summary = Dense(config.hidden_size, config.hidden_size, dtype)


class SummaryHead(nnx.Module):
    """Dense, GELU, dropout, dense."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.sequence_summary = Summary(config, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        x = gelu(self.sequence_summary.summary(rows))
        return self.classifier(dropout(x, self.rate, key))


class PreClassifierHead(nnx.Module):
    """Dense, ReLU, dropout, dense."""

    activation = staticmethod(jax.nn.relu)

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.pre_classifier = Dense(config.hidden_size, config.hidden_size, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        x = self.activation(self.pre_classifier(rows))
        return self.classifier(dropout(x, self.rate, key))


class GeluPreClassifierHead(PreClassifierHead):
    """Dense, GELU, dropout, dense."""

    activation = staticmethod(gelu)


class TokenHead(nnx.Module):
    """Dropout, dense."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        del dtype  # logits are always float32
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        return self.classifier(dropout(rows, self.rate, key))


class ScoreHead(nnx.Module):
    """Dense, without bias."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        del rate, dtype  # there is no dropout, and logits are always float32
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32, has_bias=False)

    def __call__(
        self, rows: Float[Array, "rows hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "rows outputs"]:
        """Returns the logits."""
        del key
        return self.classifier(rows)


def of_each_token(
    head: Callable[[jax.Array, jax.Array | None], jax.Array],
    hidden: Float[Array, "batch seq hidden"],
    key: PRNGKeyArray | None,
) -> Float32[Array, "batch seq outputs"]:
    """Applies a head to every token."""
    batch, seq, size = hidden.shape
    return head(hidden.reshape(-1, size), key).reshape(batch, seq, -1)


def pool(
    hidden: Float[Array, "batch seq hidden"], mask: Int[Array, "batch seq"], pooling: Pooling
) -> Float[Array, "batch hidden"]:
    """Makes a row of its tokens: the first or last one, or the mean of all but padding."""
    if pooling == "first":
        return hidden[:, 0]
    return last_token(hidden, mask) if pooling == "last" else mean_of_tokens(hidden, mask)


def last_token(
    hidden: Float[Array, "batch seq hidden"], mask: Int[Array, "batch seq"]
) -> Float[Array, "batch hidden"]:
    """Selects the last token of each row that is not padding."""
    place = mask.shape[1] - 1 - jnp.argmax((mask != 0)[:, ::-1], axis=1)
    return jnp.take_along_axis(hidden, place[:, None, None], axis=1)[:, 0]


def mean_of_tokens(
    values: Float[Array, "batch seq size"], mask: Int[Array, "batch seq"]
) -> Float[Array, "batch size"]:
    """Averages over all tokens that are not padding; without any, the mean is zero."""
    kept = (mask != 0).astype(values.dtype)[:, :, None]
    return jnp.sum(values * kept, axis=1) / jnp.maximum(jnp.sum(kept, axis=1), 1)


MakeHead = Callable[[EncoderConfig, int, float, DTypeLike], nnx.Module]
"""`(config, num_outputs, rate, dtype) -> head`."""
