"""Binary masks over frozen weights, as pure functions over pytrees.

This package imports jax and numpy only; it works on any pytree of arrays (plain dicts, Flax NNX
states, Linen variables, Equinox modules). One polarity holds everywhere: **1 keeps a weight,
0 drops it**, and sparsity is the fraction of zeros.
"""

from maskjax.masking.binarizers import bernoulli, clipped_sign, hard_threshold, top_k
from maskjax.masking.factories import bernoulli_mask, sign_mask, threshold_mask, top_k_mask
from maskjax.masking.granularity import PER_MATRIX, PER_WEIGHT, Granularity, by_path, per_head
from maskjax.masking.initializers import (
    constant,
    double_uniform,
    magnitude,
    random_count,
    random_mask_spec,
    uniform,
)
from maskjax.masking.kinds import KINDS, block_of, encoder_rules, kind_of
from maskjax.masking.paths import flatten_with_paths, fold_in_path, update_leaves
from maskjax.masking.proportional import proportional
from maskjax.masking.schedules import (
    constant_sparsity,
    cubic_sparsity,
    lagrangian_penalty,
    stepwise_sparsity,
)
from maskjax.masking.selection import Rule, Where, choose, select_paths
from maskjax.masking.similarity import Difference, compare_masks, paired, total_difference
from maskjax.masking.sparsity import (
    Count,
    count_by_block,
    count_by_kind,
    count_packed,
    count_zeros,
    mean_sparsity,
    total_count,
)
from maskjax.masking.transform import MASKED_WEIGHT, MaskTransform, mask_transform

__all__ = [
    "KINDS",
    "MASKED_WEIGHT",
    "PER_MATRIX",
    "PER_WEIGHT",
    "Count",
    "Difference",
    "Granularity",
    "MaskTransform",
    "Rule",
    "Where",
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
    "flatten_with_paths",
    "fold_in_path",
    "hard_threshold",
    "kind_of",
    "lagrangian_penalty",
    "magnitude",
    "mask_transform",
    "mean_sparsity",
    "paired",
    "per_head",
    "proportional",
    "random_count",
    "random_mask_spec",
    "select_paths",
    "sign_mask",
    "stepwise_sparsity",
    "threshold_mask",
    "top_k",
    "top_k_mask",
    "total_count",
    "total_difference",
    "uniform",
    "update_leaves",
]
