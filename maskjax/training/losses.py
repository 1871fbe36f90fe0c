"""Losses: per label in float32, averaged with weights so that padding counts nothing."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from maskjax.models.config import TaskType

Loss = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""`(logits [..., outputs], labels [...], weights [...]) -> scalar`, float32."""


def make_loss(kind: TaskType) -> Loss:
    """The loss of a kind of task: cross-entropy over classes or choices, or squared error.

    Args:
        kind: What the task predicts.

    Returns:
        A function of logits, labels and weights, whose mean leaves out what has weight 0: rows
        that fill a batch up and, for tokens, all but one token of each word. It is 0 where all
        weights are.

    Example:
        >>> loss = make_loss("regression")
        >>> float(loss(jnp.array([[1.0], [9.0]]), jnp.array([3.0, 0.0]), jnp.array([1.0, 0.0])))
        4.0
    """

    def loss(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> jax.Array:
        if kind == "regression":
            each = jnp.square(logits[..., 0] - labels)
        else:
            each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return (each * weights).sum() / jnp.maximum(weights.sum(), 1.0)

    return loss
