"""The compiled functions that run tasks. A task is an argument of them, never a constant.

`CompiledModel.forward` reads the base and the packed masks of one task, unmasks and multiplies in
one program; without masks it runs a task whose weights are masked already. `batched` runs several
tasks under `jax.vmap`, for devices that one task does not fill.

On CPU each core runs tasks one after the other. `jax.lax.map` over tasks took 1.3 times as long,
and `jax.vmap`, which holds the weights of all tasks at the same time, took longer still. So the
masks of tasks are not stacked: a task is added or removed without a copy, and no program depends on
the number of tasks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.packed import PackedWeight, kernel_product, late_product, unpack_bit_planes
from maskjax.models import EncoderConfig, Model, TaskType, build_model, head_paths
from maskjax.models.matrix_types import matrix_type

LEAST_WIDTH = 8
"""Outputs of the narrowest head; wider ones are powers of two."""

Leaves = dict[str, Any]
"""Arrays by path, of NumPy or on a device."""
Inputs = Mapping[str, Any]
Forward = Callable[[Leaves, Leaves, Inputs], jax.Array]
"""`(leaves, bit_planes, inputs) -> outputs`. Bit planes are packed masks by path, for all maskable
matrices or, where the leaves are masked already, for none."""


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A model for all tasks of one kind with at most a certain number of classes.

    Logits are float32 `[rows, width]`, for tokens `[rows, length, width]`; choices have one each.
    """

    model: Model
    head: tuple[str, ...]  # paths of the leaves that every task has of its own
    paths: tuple[str, ...]  # paths of all leaves
    maskable: tuple[str, ...]  # paths of the matrices that may be masked, sorted
    forward: Forward
    # `(leaves of the base, heads, bit_planes, inputs) -> logits`; all but the first have a leading
    # axis of groups.
    batched: Callable[[Leaves, Leaves, Leaves, Inputs], jax.Array]


def head_width(outputs: int) -> int:
    """The width of the head that a task with this many outputs runs in.

    Example:
        >>> [head_width(outputs) for outputs in (1, 8, 9)]
        [8, 8, 16]
    """
    return max(LEAST_WIDTH, 1 << (outputs - 1).bit_length())


def compile_model(
    config: EncoderConfig, kind: TaskType, outputs: int, dtype: str, *, kernel: bool = False
) -> CompiledModel:
    """The programs of a task; those of one kind and width are the same object."""
    head = "classification" if kind == "regression" else kind
    width = 1 if kind == "choice" else head_width(outputs)
    return _compile_model(config, head, width, dtype, kernel=kernel)


@cache
def _compile_model(
    config: EncoderConfig, kind: TaskType, width: int, dtype: str, *, kernel: bool
) -> CompiledModel:
    model = build_model(config, width, kind=kind, compute_dtype=jnp.dtype(dtype))

    def forward(leaves: Leaves, bit_planes: Leaves, inputs: Inputs) -> jax.Array:
        leaves = _with_masks(leaves, bit_planes, kernel=kernel)
        return model.apply(update_leaves(model.abstract, leaves), inputs)

    def with_head(leaves: Leaves, head: Leaves, bit_planes: Leaves, inputs: Inputs) -> jax.Array:
        return forward(leaves | head, bit_planes, inputs)

    return CompiledModel(
        model,
        head_paths(model),
        tuple(flatten_with_paths(model.abstract)),
        tuple(sorted(_maskable_paths(model))),
        jax.jit(forward),
        jax.jit(jax.vmap(with_head, in_axes=(None, 0, 0, 0))),
    )


@cache
def compile_features(config: EncoderConfig, dtype: str, *, kernel: bool = False) -> Forward:
    """The program that computes vectors, of the base or under a task's weights.

    They are float32 `[rows, 2, hidden]`: the first token's and the mean over the tokens.
    """
    model = build_model(config, 1, kind="tokens", compute_dtype=jnp.dtype(dtype))
    encoder = flatten_with_paths(model.abstract).keys() - set(head_paths(model))

    @jax.jit
    def run(leaves: Leaves, bit_planes: Leaves, inputs: Inputs) -> jax.Array:
        # The head stays abstract; hidden states do not depend on it.
        params = update_leaves(model.abstract, _with_masks(leaves, bit_planes, kernel=kernel))
        states = model.hidden_states(params, inputs)[-1].astype(jnp.float32)
        weights = inputs["attention_mask"].astype(jnp.float32)[:, :, None]
        mean = (states * weights).sum(1) / weights.sum(1)
        return jnp.stack([states[:, 0], mean], 1)

    def features(leaves: Leaves, bit_planes: Leaves, inputs: Inputs) -> jax.Array:
        trees = leaves, bit_planes
        return run(*({p: leaf for p, leaf in t.items() if p in encoder} for t in trees), inputs)

    return features


def _with_masks(leaves: Leaves, bit_planes: Leaves, *, kernel: bool) -> Leaves:
    product = kernel_product if kernel else late_product
    return leaves | {p: PackedWeight(leaves[p], bits, product) for p, bits in bit_planes.items()}


def _maskable_paths(model: Model) -> set[str]:
    """The matrices of a base that a program unmasks: those of the blocks, and BERT's pooler."""
    paths = flatten_with_paths(model.abstract).keys() - set(head_paths(model))
    return {path for path in paths if path.endswith("/kernel") and matrix_type(path) is not None}


@jax.jit
def stack(*trees: Any) -> Any:
    """Stacks pytrees of one structure along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@jax.jit
def unmask(weight: jax.Array, bit_planes: jax.Array) -> jax.Array:
    """W ⊙ M, as an array that stays."""
    return weight * unpack_bit_planes(bit_planes, weight.shape[0]).astype(weight.dtype)


def full_bit_planes(shape: tuple[int, ...]) -> np.ndarray:
    """Packed masks that keep every weight of a matrix of this shape."""
    return np.full((-(-shape[0] // 8), shape[1]), 255, np.uint8)
