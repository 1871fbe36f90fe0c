"""Gradients of a batch, in one go or part by part, and what their backward pass keeps."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from maskjax.adaptation import Adaptation
from maskjax.config.train import Remat
from maskjax.masking import MaskedWeight, leaves_by_path, replace_leaves
from maskjax.training.mesh import Layout

Arrays = Mapping[str, jax.Array]
PartLoss = Callable[[Any, Arrays, jax.Array], tuple[jax.Array, jax.Array]]
"""`(trainable, part of the batch, number of the part) -> (loss to differentiate, loss to tell)`."""


def adapt(
    adaptation: Adaptation,
    trainable: Any,
    params: Any,
    key: jax.Array,
    *,
    remat: Remat,
    layout: Layout,
) -> Any:
    """Adapts params for one use by a model that is differentiated.

    Args:
        adaptation: Adapts them.
        trainable: Its trainable.
        params: The frozen params.
        key: For adaptations that sample.
        remat: With `masked_weights`, kernels that are masked and not trained are made again in the
            backward pass instead of being kept.
        layout: Where the arguments are.

    Returns:
        Adapted params, in which these kernels are a `MaskedWeight`.
    """
    adapted = layout.gather(adaptation.apply(trainable, params, key=key))
    if remat != "masked_weights":
        return adapted
    frozen = jax.eval_shape(adaptation.freeze, trainable, params)
    trained = {path for sort in frozen if sort != "mask" for path in frozen[sort]}
    kernels = [path for path in frozen.get("mask", {}) if path.endswith("/kernel")]
    ones = jax.tree.map(jnp.ones_like, params)
    masks = adaptation.apply(jax.lax.stop_gradient(trainable), ones, key=key)
    masked, weights, masks = map(leaves_by_path, (adapted, *layout.keep((params, masks))))
    return replace_leaves(
        adapted,
        {
            path: MaskedWeight(
                masked[path], weights[path], masks[path] != 0, partial(_collect, layout, path)
            )
            for path in kernels
            if path not in trained
        },
    )


def _collect(layout: Layout, path: str, leaf: jax.Array) -> jax.Array:
    return layout.gather({path: leaf})[path]


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
