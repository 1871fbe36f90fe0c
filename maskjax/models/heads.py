"""The heads of the three families: hidden states to logits.

Each computes what the family's `...ForSequenceClassification` in transformers computes. With one
output it serves regression. A head for tokens or for choices is one more class here.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.config import EncoderConfig, Family
from maskjax.models.layers import Dense, dropout, site_key


class Pooler(nnx.Module):
    """BERT's pretrained dense layer on the first token."""

    def __init__(self, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.dense = Dense(config.hidden_size, config.hidden_size, dtype)

    def __call__(self, first: jax.Array) -> jax.Array:
        """Maps [batch, hidden] to [batch, hidden]."""
        return jnp.tanh(self.dense(first))


class BertHead(nnx.Module):
    """Pooler, dropout, dense."""

    def __init__(self, config: EncoderConfig, num_outputs: int, dtype: DTypeLike) -> None:
        self.pooler = Pooler(config, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = config.head_dropout

    def __call__(self, hidden: jax.Array, key: jax.Array | None) -> jax.Array:
        """Maps [batch, seq, hidden] to logits, [batch, num_outputs] float32."""
        pooled = self.pooler(hidden[:, 0])
        return self.classifier(dropout(pooled, self.rate, key))


class RobertaClassifier(nnx.Module):
    """Dropout, dense, tanh, dropout, dense."""

    def __init__(self, config: EncoderConfig, num_outputs: int, dtype: DTypeLike) -> None:
        self.dense = Dense(config.hidden_size, config.hidden_size, dtype)
        self.out_proj = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = config.head_dropout

    def __call__(self, first: jax.Array, key: jax.Array | None) -> jax.Array:
        """Maps [batch, hidden] to logits, [batch, num_outputs] float32."""
        x = dropout(first, self.rate, site_key(key, 0))
        x = jnp.tanh(self.dense(x))
        return self.out_proj(dropout(x, self.rate, site_key(key, 1)))


class RobertaHead(nnx.Module):
    """`RobertaClassifier` on the first token, `<s>`."""

    def __init__(self, config: EncoderConfig, num_outputs: int, dtype: DTypeLike) -> None:
        self.classifier = RobertaClassifier(config, num_outputs, dtype)

    def __call__(self, hidden: jax.Array, key: jax.Array | None) -> jax.Array:
        """Maps [batch, seq, hidden] to logits, [batch, num_outputs] float32."""
        return self.classifier(hidden[:, 0], key)


class DistilBertHead(nnx.Module):
    """Dense, ReLU, dropout, dense, on the first token."""

    def __init__(self, config: EncoderConfig, num_outputs: int, dtype: DTypeLike) -> None:
        self.pre_classifier = Dense(config.hidden_size, config.hidden_size, dtype)
        self.classifier = Dense(config.hidden_size, num_outputs, jnp.float32)
        self.rate = config.head_dropout

    def __call__(self, hidden: jax.Array, key: jax.Array | None) -> jax.Array:
        """Maps [batch, seq, hidden] to logits, [batch, num_outputs] float32."""
        x = jax.nn.relu(self.pre_classifier(hidden[:, 0]))
        return self.classifier(dropout(x, self.rate, key))


Head = BertHead | RobertaHead | DistilBertHead
HEADS: dict[Family, type[Head]] = {
    "bert": BertHead,
    "roberta": RobertaHead,
    "distilbert": DistilBertHead,
}
