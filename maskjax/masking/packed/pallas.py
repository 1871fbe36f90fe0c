"""A matrix product with W ⊙ M that reads W and packed masks and never writes W ⊙ M.

A Pallas kernel. Each tile of W is masked in the fast memory of the core that multiplies by it, for
each task in turn while the tile stays, so that main memory is read once for W and for an eighth of
a byte per weight for each further task.

References:
    Pallas, https://docs.jax.dev/en/latest/pallas/.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from maskjax.masking.packed.bit_planes import PLANES

LANE_WIDTH = 128
SUBLANES = 32
"""A tile in the memory of a TPU core: columns, and rows of single bytes."""
TILE_BYTES = 2**21
"""The bytes of W ⊙ M in that memory, which also holds W, the next block of W and x."""
BLOCK_ROWS = 128
"""Rows of x that are multiplied at a time."""


@partial(jax.jit, static_argnames=("interpret",))
def masked_product(
    x: jax.Array, weight: jax.Array, bit_planes: jax.Array, *, interpret: bool = False
) -> jax.Array:
    """`x[g] @ (W ⊙ M[g])` for each of several tasks.

    Args:
        x: `[groups, rows, in]`, float32 or bfloat16.
        weight: W, `[in, out]`, of the dtype of x. in must divide by 8.
        bit_planes: From `pack_bit_planes`, uint8 `[groups, in / 8, out]`.
        interpret: Interpret the kernel, for tests without a TPU.

    Returns:
        `[groups, rows, out]` in the dtype of x; sums are float32.

    Raises:
        ValueError: If shapes or dtypes do not fit.

    Example:
        >>> x, weight = jnp.ones((1, 2, 8)), jnp.ones((8, 3))
        >>> bit_planes = jnp.array([[[255, 1, 0]]], jnp.uint8)  # keep all, keep the first row, none
        >>> masked_product(x, weight, bit_planes, interpret=True).tolist()
        [[[8.0, 1.0, 0.0], [8.0, 1.0, 0.0]]]
    """
    _check(x, weight, bit_planes)
    groups, rows, inputs = x.shape
    outputs = weight.shape[1]
    columns = _columns(inputs, outputs, weight.dtype.itemsize)
    block_rows = min(BLOCK_ROWS, -(-rows // SUBLANES) * SUBLANES)
    product = pl.pallas_call(
        _kernel,
        out_shape=jax.ShapeDtypeStruct((groups, rows, outputs), x.dtype),
        # The last axis moves fastest: W's tile stays for all groups, and W ⊙ M for all rows.
        grid=(pl.cdiv(outputs, columns), groups, pl.cdiv(rows, block_rows)),
        in_specs=[
            pl.BlockSpec((None, block_rows, inputs), lambda column, group, row: (group, row, 0)),
            pl.BlockSpec((inputs, columns), lambda column, group, row: (0, column)),
            pl.BlockSpec(
                (None, inputs // PLANES, columns), lambda column, group, row: (group, 0, column)
            ),
        ],
        out_specs=pl.BlockSpec(
            (None, block_rows, columns), lambda column, group, row: (group, row, column)
        ),
        scratch_shapes=[pltpu.VMEM((inputs, columns), weight.dtype)],
        interpret=interpret,
    )
    return product(x, weight, bit_planes)


def _kernel(x: Any, weight: Any, bit_planes: Any, output: Any, masked: Any) -> None:
    @pl.when(pl.program_id(2) == 0)
    def unmask() -> None:
        size = bit_planes.shape[0]
        for plane in range(PLANES):
            rows = pl.ds(plane * size, size)
            keep = (bit_planes[...].astype(jnp.int32) >> plane) & 1
            masked[rows, :] = jnp.where(keep == 1, weight[rows, :], jnp.zeros((), weight.dtype))

    # Without HIGHEST a TPU would round float32 factors to bfloat16.
    product = jnp.dot(
        x[...],
        masked[...],
        preferred_element_type=jnp.float32,
        precision=jax.lax.Precision.HIGHEST if x.dtype == jnp.float32 else None,
    )
    output[...] = product.astype(output.dtype)


def _columns(inputs: int, outputs: int, itemsize: int) -> int:
    """The widest tile of whole lanes that fits; matrices narrower than a lane are one tile."""
    max_columns = TILE_BYTES // (inputs * itemsize) // LANE_WIDTH * LANE_WIDTH
    return (
        outputs if outputs <= max_columns or outputs < LANE_WIDTH else max(max_columns, LANE_WIDTH)
    )


def _check(x: jax.Array, weight: jax.Array, bit_planes: jax.Array) -> None:
    groups, _, inputs = x.shape
    if inputs % PLANES or weight.shape[0] != inputs:
        raise ValueError(
            f"Expected W of {inputs} rows, a multiple of {PLANES}, got {weight.shape}."
        )
    if (
        bit_planes.shape != (groups, inputs // PLANES, weight.shape[1])
        or bit_planes.dtype != jnp.uint8
    ):
        raise ValueError(
            f"Expected uint8 planes of shape {(groups, inputs // PLANES, weight.shape[1])}, got "
            f"{bit_planes.dtype} of shape {bit_planes.shape}."
        )
    if x.dtype != weight.dtype:
        raise ValueError(f"Expected x and W of one dtype, got {x.dtype} and {weight.dtype}.")
