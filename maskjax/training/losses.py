"""Losses: per row in float32, averaged with weights so that padding rows count nothing."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import optax

Loss = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""`(logits [rows, outputs], labels [rows], weights [rows]) -> scalar`, float32."""


def make_loss(kind: Literal["classification", "regression"]) -> Loss:
    """The loss of a kind of task: cross-entropy over classes, or squared error.

    Args:
        kind: What the task predicts.

    Returns:
        A function whose mean leaves out the rows of weight 0.

    Example:
        >>> loss = make_loss("regression")
        >>> float(loss(jnp.array([[1.0], [9.0]]), jnp.array([3.0, 0.0]), jnp.array([1.0, 0.0])))
        4.0
    """

    def loss(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> jax.Array:
        if kind == "classification":
            rows = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        else:
            rows = jnp.square(logits[:, 0] - labels)
        return (rows * weights).sum() / weights.sum()

    return loss
