"""Binary masks over frozen weights, as pure functions over pytrees.

This room imports jax and numpy only; it works on any pytree of arrays (plain dicts, Flax NNX
states, Linen variables, Equinox modules). One polarity holds everywhere: **1 keeps a weight,
0 drops it**, and sparsity is the fraction of zeros.
"""

from maskjax.masking.binarizers import bernoulli, clipped_sign, hard_threshold, top_k
from maskjax.masking.compare import Difference, compare_masks, paired, total_difference
from maskjax.masking.granularity import PER_MATRIX, PER_WEIGHT, Granularity, by_path, per_head
from maskjax.masking.initializers import (
    constant,
    double_uniform,
    magnitude,
    proportional,
    random_count,
    start_of,
    uniform,
)
from maskjax.masking.kernel import masked_product
from maskjax.masking.kinds import KINDS, block_of, encoder_rules, kind_of
from maskjax.masking.packed_weight import PackedWeight, kernel_product, late_product
from maskjax.masking.packing import PackedMask, pack_bits, packed_size, unpack_bits
from maskjax.masking.paths import key_for_path, leaves_by_path, replace_leaves
from maskjax.masking.philox import Start, philox_words
from maskjax.masking.planes import pack_planes, unpack_planes
from maskjax.masking.product import MaskedWeight
from maskjax.masking.schedules import (
    constant_sparsity,
    cubic_sparsity,
    lagrangian_penalty,
    stepwise_sparsity,
)
from maskjax.masking.selection import Rule, choose, select_paths
from maskjax.masking.sparsity import (
    Count,
    count_by_block,
    count_by_kind,
    count_packed,
    count_zeros,
    mean_sparsity,
    total_count,
)
from maskjax.masking.transform import (
    MASKED_WEIGHT,
    MaskTransform,
    bernoulli_mask,
    mask_transform,
    sign_mask,
    threshold_mask,
    top_k_mask,
)

__all__ = [
    "KINDS",
    "MASKED_WEIGHT",
    "PER_MATRIX",
    "PER_WEIGHT",
    "Count",
    "Difference",
    "Granularity",
    "MaskTransform",
    "MaskedWeight",
    "PackedMask",
    "PackedWeight",
    "Rule",
    "Start",
    "bernoulli",
    "bernoulli_mask",
    "block_of",
    "by_path",
    "choose",
    "clipped_sign",
    "compare_masks",
    "constant",
    "constant_sparsity",
    "count_by_block",
    "count_by_kind",
    "count_packed",
    "count_zeros",
    "cubic_sparsity",
    "double_uniform",
    "encoder_rules",
    "hard_threshold",
    "kernel_product",
    "key_for_path",
    "kind_of",
    "lagrangian_penalty",
    "late_product",
    "leaves_by_path",
    "magnitude",
    "mask_transform",
    "masked_product",
    "mean_sparsity",
    "pack_bits",
    "pack_planes",
    "packed_size",
    "paired",
    "per_head",
    "philox_words",
    "proportional",
    "random_count",
    "replace_leaves",
    "select_paths",
    "sign_mask",
    "start_of",
    "stepwise_sparsity",
    "threshold_mask",
    "top_k",
    "top_k_mask",
    "total_count",
    "total_difference",
    "uniform",
    "unpack_bits",
    "unpack_planes",
]
