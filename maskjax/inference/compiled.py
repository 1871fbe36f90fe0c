"""The compiled functions that run tasks: a task is an argument of theirs, never a constant.

Three forms of the same model, of which the one that is quickest for a batch is taken:

- `masked` reads the base and the packed masks of one task, unmasks and multiplies in one program.
- `dense` runs a task whose weights are there already.
- `together` runs several tasks at once under `jax.vmap`, for devices that one task does not fill.

On CPU each core runs tasks through `masked`, one after the other. `jax.lax.map` over tasks took 1.3
times as long, and `jax.vmap`, which keeps the weights of all tasks at once, more than that. So
nothing has to be stacked: tasks come and go without a copy, and no number of them is built into a
program.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from maskjax.inference.packed_task import Leaves, maskable_paths
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.packed import PackedWeight, kernel_product, late_product
from maskjax.models import EncoderConfig, Model, TaskType, build_model, head_paths

LEAST_WIDTH = 8
"""Outputs of the narrowest head; wider ones are powers of two."""

Inputs = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A model for all tasks of one kind and at most so many classes.

    Attributes:
        model: Its functions and shapes.
        head: Paths of the leaves that every task brings.
        paths: Paths of all leaves.
        maskable: Paths of the matrices that have masks, sorted.
        masked: `(leaves, planes, inputs) -> logits`, float32, `[rows, width]` and for tokens
            `[rows, seq, width]`; choices have one logit each.
        dense: `(leaves, inputs) -> logits`.
        together: `(leaves, heads, planes, inputs) -> logits` with a leading axis of groups on all
            but `leaves`, which are those of the base.
    """

    model: Model
    head: tuple[str, ...]
    paths: tuple[str, ...]
    maskable: tuple[str, ...]
    masked: Callable[[Leaves, Leaves, Inputs], jax.Array]
    dense: Callable[[Leaves, Inputs], jax.Array]
    together: Callable[[Leaves, Leaves, Leaves, Inputs], jax.Array]


def width_of(outputs: int) -> int:
    """The width of the head in which a task of so many outputs is put.

    Example:
        >>> [width_of(outputs) for outputs in (1, 8, 9)]
        [8, 8, 16]
    """
    return max(LEAST_WIDTH, 1 << (outputs - 1).bit_length())


@cache
def make_programs(
    config: EncoderConfig, kind: TaskType, outputs: int, dtype: str, *, kernel: bool = False
) -> CompiledModel:
    """Makes the programs of a task; those of the same kind and width are the same object."""
    head = "classification" if kind == "regression" else kind
    return _make(config, head, 1 if kind == "choice" else width_of(outputs), dtype, kernel)


@cache
def make_features(
    config: EncoderConfig, dtype: str, *, kernel: bool = False
) -> Callable[[Leaves, Leaves, Inputs], jax.Array]:
    """Makes the program that answers with vectors, of the base or under a task's weights."""
    product = kernel_product if kernel else late_product
    model = build_model(config, 1, kind="tokens", compute_dtype=jnp.dtype(dtype))
    known = flatten_with_paths(model.abstract).keys() - set(head_paths(model))

    @jax.jit
    def run(leaves: Leaves, planes: Leaves, inputs: Inputs) -> jax.Array:
        packed = {p: PackedWeight(leaves[p], bits, product) for p, bits in planes.items()}
        params = update_leaves(model.abstract, leaves | packed)  # the head stays abstract
        states = model.hidden_states(params, inputs)[-1].astype(jnp.float32)
        weights = inputs["attention_mask"].astype(jnp.float32)[:, :, None]
        mean = (states * weights).sum(1) / weights.sum(1)
        return jnp.stack([states[:, 0], mean], 1)

    def features(leaves: Leaves, planes: Leaves, inputs: Inputs) -> jax.Array:
        encoder = {path: leaf for path, leaf in leaves.items() if path in known}
        return run(encoder, {path: p for path, p in planes.items() if path in known}, inputs)

    return features


@jax.jit
def stack(*trees: Any) -> Any:
    """Puts pytrees of one structure together along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@cache
def _make(
    config: EncoderConfig, kind: TaskType, width: int, dtype: str, kernel: bool
) -> CompiledModel:
    product = kernel_product if kernel else late_product
    model = build_model(config, width, kind=kind, compute_dtype=jnp.dtype(dtype))

    def dense(leaves: Leaves, inputs: Inputs) -> jax.Array:
        return model.apply(update_leaves(model.abstract, leaves), inputs)

    def masked(leaves: Leaves, planes: Leaves, inputs: Inputs) -> jax.Array:
        packed = {p: PackedWeight(leaves[p], bits, product) for p, bits in planes.items()}
        return dense(leaves | packed, inputs)

    def one(leaves: Leaves, head: Leaves, planes: Leaves, inputs: Inputs) -> jax.Array:
        return masked(leaves | head, planes, inputs)

    return CompiledModel(
        model,
        head_paths(model),
        tuple(flatten_with_paths(model.abstract)),
        tuple(sorted(maskable_paths(model))),
        jax.jit(masked),
        jax.jit(dense),
        jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0))),
    )
