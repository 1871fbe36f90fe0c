"""Binary masks over frozen weights, as pure functions over pytrees.

This package imports jax and numpy only; it works on any pytree of arrays (plain dicts, Flax NNX
states, Linen variables, Equinox modules). One polarity holds everywhere: **1 keeps a weight,
0 drops it**, and sparsity is the fraction of zeros.
"""

from maskjax.masking.binarizers import bernoulli, clipped_sign, hard_threshold, top_k
from maskjax.masking.factories import bernoulli_mask, sign_mask, threshold_mask, top_k_mask
from maskjax.masking.granularity import PER_MATRIX, PER_WEIGHT, Granularity, by_path, per_head
from maskjax.masking.initializers import constant, magnitude, uniform
from maskjax.masking.paths import flatten_with_paths, update_leaves
from maskjax.masking.proportional import proportional
from maskjax.masking.schedules import (
    constant_sparsity,
    cubic_sparsity,
    lagrangian_penalty,
    stepwise_sparsity,
)
from maskjax.masking.selection import Rule
from maskjax.masking.sparsity import Count, count_zeros, mean_sparsity, total_count
from maskjax.masking.transform import MaskTransform, mask_transform

__all__ = [
    "PER_MATRIX",
    "PER_WEIGHT",
    "Count",
    "Granularity",
    "MaskTransform",
    "Rule",
    "bernoulli",
    "bernoulli_mask",
    "by_path",
    "clipped_sign",
    "constant",
    "constant_sparsity",
    "count_zeros",
    "cubic_sparsity",
    "flatten_with_paths",
    "hard_threshold",
    "lagrangian_penalty",
    "magnitude",
    "mask_transform",
    "mean_sparsity",
    "per_head",
    "proportional",
    "sign_mask",
    "stepwise_sparsity",
    "threshold_mask",
    "top_k",
    "top_k_mask",
    "total_count",
    "uniform",
    "update_leaves",
]
