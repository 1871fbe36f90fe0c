"""Masks at one bit per weight: packed, drawn from Philox, and applied inside of a product.

Like the rest of `maskjax.masking` this package imports jax and numpy only. Task files, servers and
the paper's random start use it; training a mask does not need it.
"""

from maskjax.masking.packed.bit_planes import pack_planes, unpack_planes
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
from maskjax.masking.packed.similarity import Difference, compare_masks, paired, total_difference

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
    "pack_bits",
    "pack_planes",
    "packed_size",
    "paired",
    "philox_words",
    "total_difference",
    "unpack_bits",
    "unpack_planes",
]
