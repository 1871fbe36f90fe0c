"""Masks at one bit per weight: packed, drawn from Philox, and applied inside of a product.

Like the rest of `maskjax.masking` this package imports jax and numpy only. Task files, servers and
the paper's random start use it; training a mask does not need it.
"""

from maskjax.masking.packed.bit_planes import pack_bit_planes, unpack_bit_planes
from maskjax.masking.packed.masked_weight import MaskedWeight
from maskjax.masking.packed.matrix import Matrix
from maskjax.masking.packed.packed_weight import PackedWeight, kernel_product, late_product
from maskjax.masking.packed.packing import (
    PackedMask,
    count_packed,
    pack_bits,
    packed_size,
    unpack_bits,
)
from maskjax.masking.packed.pallas import masked_product
from maskjax.masking.packed.philox import RandomMaskSpec, philox_words
from maskjax.masking.packed.similarity import (
    Difference,
    compare_masks,
    pair_masks,
    total_difference,
)

__all__ = [
    "Difference",
    "MaskedWeight",
    "Matrix",
    "PackedMask",
    "PackedWeight",
    "RandomMaskSpec",
    "compare_masks",
    "count_packed",
    "kernel_product",
    "late_product",
    "masked_product",
    "pack_bit_planes",
    "pack_bits",
    "packed_size",
    "pair_masks",
    "philox_words",
    "total_difference",
    "unpack_bit_planes",
    "unpack_bits",
]
