"""The heads of the three families: hidden states to logits.

Each computes what the family's class in transformers computes: `...ForSequenceClassification`,
which with one output serves regression, `...ForTokenClassification`, `...ForMultipleChoice`.
`HEADS` maps family and type of task to the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.config import EncoderConfig, Family, TaskType
from maskjax.models.layers import Dense, dropout, site_key

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


class RobertaClassifier(nnx.Module):
    """Dropout, dense, tanh, dropout, dense."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.dense = Dense(config.hidden_size, config.hidden_size, dtype)
        self.out_proj = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = rate

    def __call__(
        self, first_token: Float[Array, "batch hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        x = dropout(first_token, self.rate, site_key(key, 0))
        x = jnp.tanh(self.dense(x))
        return self.out_proj(dropout(x, self.rate, site_key(key, 1)))


class RobertaHead(nnx.Module):
    """`RobertaClassifier` on the first token, `<s>`."""

    def __init__(
        self, config: EncoderConfig, num_outputs: int, rate: float, dtype: DTypeLike
    ) -> None:
        self.classifier = RobertaClassifier(config, num_outputs, rate, dtype)

    def __call__(
        self, hidden: Float[Array, "batch seq hidden"], key: PRNGKeyArray | None
    ) -> Float32[Array, "batch outputs"]:
        """Returns the logits."""
        return self.classifier(hidden[:, 0], key)


class DistilBertHead(nnx.Module):
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


Head = PoolerHead | RobertaHead | DistilBertHead | TokenHead
Rate = Literal["head_dropout", "hidden_dropout"]

HEADS: dict[tuple[Family, TaskType], tuple[type[Head], Rate]] = {
    ("bert", "classification"): (PoolerHead, "head_dropout"),
    ("bert", "regression"): (PoolerHead, "head_dropout"),
    ("bert", "tokens"): (TokenHead, "head_dropout"),
    ("bert", "choice"): (PoolerHead, "head_dropout"),
    ("roberta", "classification"): (RobertaHead, "head_dropout"),
    ("roberta", "regression"): (RobertaHead, "head_dropout"),
    ("roberta", "tokens"): (TokenHead, "head_dropout"),
    ("roberta", "choice"): (PoolerHead, "hidden_dropout"),
    ("distilbert", "classification"): (DistilBertHead, "head_dropout"),
    ("distilbert", "regression"): (DistilBertHead, "head_dropout"),
    ("distilbert", "tokens"): (TokenHead, "hidden_dropout"),
    ("distilbert", "choice"): (DistilBertHead, "head_dropout"),
}
"""The head for each family and type of task, and the encoder's dropout rate that it uses."""


def make_head(config: EncoderConfig, kind: TaskType, num_outputs: int, dtype: DTypeLike) -> Head:
    """Makes the head of a model."""
    head, rate = HEADS[config.family, kind]
    return head(config, num_outputs, getattr(config, rate), dtype)
