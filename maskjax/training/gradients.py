"""Gradients of a batch, in one go or part by part, and what their backward pass keeps."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from maskjax.adaptation import Adaptation, Mask
from maskjax.config.train import Remat
from maskjax.inference.forward import split_parts
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.packed import MaskedWeight
from maskjax.training.sharding import Layout

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
    """Adapts params for one use by a model that is differentiated."""
    adapted = layout.gather(adaptation.apply(trainable, params, key=key))
    if remat != "masked_weights":
        return adapted
    delta = jax.eval_shape(adaptation.finalize, trainable, params)
    trained = delta.without(Mask).operations
    kernels = [path for path in delta.masks if path.endswith("/kernel")]
    # Behind a barrier: the compiler would keep the masks of `adapted` instead of making them again.
    behind = jax.lax.optimization_barrier(jax.lax.stop_gradient(trainable))
    masks = adaptation.apply(behind, params, key=key)
    masked, weights, masks = map(flatten_with_paths, (adapted, *layout.keep((params, masks))))
    return update_leaves(
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
    """Gradients of a batch; with several parts, activations take the memory of one."""
    differentiate = jax.grad(loss, has_aux=True)
    if parts == 1:
        return differentiate(trainable, batch, jnp.int32(0))
    whole = count_units(batch["weights"])

    def weighed(trainable: Any, part: Arrays, number: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, of_rows = loss(trainable, part, number)
        share = count_units(part["weights"]) / whole
        return of_rows * share + (value - of_rows) / parts, of_rows * share

    def add(total: Any, part: tuple[Arrays, jax.Array]) -> tuple[Any, None]:
        gradients_of_part = jax.grad(weighed, has_aux=True)(trainable, *part)
        return jax.tree.map(jnp.add, total, gradients_of_part), None

    split = split_parts(batch, parts, batch["labels"].shape[0])
    zeros = (jax.tree.map(jnp.zeros_like, trainable), jnp.zeros((), jnp.float32))
    (gradients, value), _ = jax.lax.scan(add, zeros, (split, jnp.arange(parts)))
    return gradients, value


def count_units(weights: jax.Array) -> jax.Array:
    """What a loss is divided by: the number of units that have a weight, at least 1; float32."""
    return jnp.maximum((weights > 0).sum().astype(jnp.float32), 1.0)
