"""Gradients of a batch, in one go or part by part, and what is kept for their backward pass."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from maskjax.adaptation import Adaptation
from maskjax.masking import MaskedWeight, leaves_by_path, replace_leaves

Arrays = Mapping[str, jax.Array]
PartLoss = Callable[[Any, Arrays, jax.Array], tuple[jax.Array, jax.Array]]
"""`(trainable, part of the batch, number of the part) -> (loss to differentiate, loss to tell)`."""


def forget_masked(adaptation: Adaptation, adapted: Any, trainable: Any, params: Any) -> Any:
    """Lets the backward pass make masked kernels again instead of keeping them.

    Args:
        adaptation: What adapted the params.
        adapted: Its output.
        trainable: Its input.
        params: The frozen params.

    Returns:
        Adapted params for one use by a model: kernels that are masked and not trained are a
        `MaskedWeight`.
    """
    frozen = jax.eval_shape(adaptation.freeze, trainable, params)
    others = {path for sort in frozen if sort != "mask" for path in frozen[sort]}
    before, after = leaves_by_path(params), leaves_by_path(adapted)
    kernels = [path for path in frozen.get("mask", {}) if path.endswith("/kernel")]
    return replace_leaves(
        adapted,
        {path: MaskedWeight(before[path], after[path]) for path in kernels if path not in others},
    )


def batch_gradients(
    loss: PartLoss, trainable: Any, batch: Arrays, parts: int
) -> tuple[Any, jax.Array]:
    """Gradients of a batch; with several parts, activations take the memory of one.

    Args:
        loss: Of one part. A mean over the weights of its rows, with what does not depend on them,
            such as a penalty, in the loss to differentiate.
        trainable: What to differentiate by.
        batch: The whole batch.
        parts: How many, a divisor of its rows.

    Returns:
        What `loss` of the whole batch would give but for the last digits: the gradients, and the
        loss to tell.
    """
    differentiate = jax.grad(loss, has_aux=True)
    if parts == 1:
        return differentiate(trainable, batch, jnp.int32(0))
    whole = jnp.maximum(batch["weights"].sum(), 1.0)

    def weighed(trainable: Any, part: Arrays, number: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, of_rows = loss(trainable, part, number)
        share = jnp.maximum(part["weights"].sum(), 1.0) / whole
        return of_rows * share + (value - of_rows) / parts, of_rows * share

    def add(total: Any, part: tuple[Arrays, jax.Array]) -> tuple[Any, None]:
        found = jax.grad(weighed, has_aux=True)(trainable, *part)
        return jax.tree.map(jnp.add, total, found), None

    zeros = (jax.tree.map(jnp.zeros_like, trainable), jnp.zeros((), jnp.float32))
    (gradients, value), _ = jax.lax.scan(add, zeros, (_split(batch, parts), jnp.arange(parts)))
    return gradients, value


def _split(batch: Arrays, parts: int) -> dict[str, jax.Array]:
    """Every `parts`-th row to one part, so that no row leaves its device: [parts, rows, ...]."""
    rows = batch["labels"].shape[0]

    def split(leaf: jax.Array) -> jax.Array:
        each = leaf.shape[0] // rows  # a row of choices is several sequences
        spread = leaf.reshape(rows // parts, parts, each, *leaf.shape[1:]).swapaxes(0, 1)
        return spread.reshape(parts, rows // parts * each, *leaf.shape[1:])

    return {name: split(leaf) for name, leaf in batch.items()}
