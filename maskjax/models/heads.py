"""The heads of all families: hidden states to logits.

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

from maskjax.models.config import EncoderConfig
from maskjax.models.layers import Dense, dropout, gelu, site_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Float32, PRNGKeyArray


class Pooler(nnx.Module):
    """The dense layer on the first token, pretrained in BERT."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.dense = Dense(config.hidden_size, config.hidden_size, dtype)

    def __call__(self, first_token: Float[Array, "batch hidden"]) -> Float[Array, "batch hidden"]:
        """Pools the hidden state of the first token."""
        return jnp.tanh(self.dense(first_token))


class PoolerHead(nnx.Module):
    """Pooler, dropout, dense."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.pooler = Pooler(config, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        pooled = self.pooler(hidden[:, 0])
        return self.classifier(dropout(pooled, self.rate, key))


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
        first: Float[Array, "batch hidden"],
        activation: Callable[[jax.Array], jax.Array],
        key: PRNGKeyArray | None,
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        x = dropout(first, self.rate, site_key(key, 0))
        x = activation(self.dense(x))
        return self.out_proj(dropout(x, self.rate, site_key(key, 1)))


class TanhHead(nnx.Module):
    """`DenseClassifier` with tanh on the first token."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.classifier = DenseClassifier(config, num_outputs, rate, dtype)

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        return self.classifier(hidden[:, 0], jnp.tanh, key)


class GeluHead(TanhHead):
    """`DenseClassifier` with GELU on the first token."""

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        return self.classifier(hidden[:, 0], gelu, key)


class Summary(nnx.Module):
    """The dense layer of `SummaryHead`."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.summary = Dense(config.hidden_size, config.hidden_size, dtype)


class SummaryHead(nnx.Module):
    """Dense, GELU, dropout, dense, on the first token."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.sequence_summary = Summary(config, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        x = gelu(self.sequence_summary.summary(hidden[:, 0]))
        return self.classifier(dropout(x, self.rate, key))


class PreClassifierHead(nnx.Module):
    """Dense, ReLU, dropout, dense, on the first token."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.pre_classifier = Dense(config.hidden_size, config.hidden_size, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        x = jax.nn.relu(self.pre_classifier(hidden[:, 0]))
        return self.classifier(dropout(x, self.rate, key))


class TokenHead(nnx.Module):
    """Dropout, dense, on every token."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        del dtype  # logits are always float32
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch seq outputs"]:
        """Returns the logits of every token."""
        batch, seq, size = hidden.shape
        x = dropout(hidden.reshape(-1, size), self.rate, key)
        return self.classifier(x).reshape(batch, seq, -1)


MakeHead = Callable[[EncoderConfig, int, float, DTypeLike], nnx.Module]
"""`(config, num_outputs, rate, dtype) -> head`."""
