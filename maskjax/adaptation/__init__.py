"""Ways to adapt a frozen model, all behind three functions: `init`, `apply` and `finalize`."""

from maskjax.adaptation.adaptation import Adaptation, combine
from maskjax.adaptation.delta import Delta, LowRank, Mask, Operation, Weight
from maskjax.adaptation.factory import (
    make_adaptation,
    make_mask_transform,
    make_soft_sparsity,
)
from maskjax.adaptation.mask_rules import masked_blocks, masked_rules
from maskjax.adaptation.score_init import random_mask_specs
from maskjax.adaptation.transforms import fixed_masks, lora, masking, train_weights

__all__ = [
    "Adaptation",
    "Delta",
    "LowRank",
    "Mask",
    "Operation",
    "Weight",
    "combine",
    "fixed_masks",
    "lora",
    "make_adaptation",
    "make_mask_transform",
    "make_soft_sparsity",
    "masked_blocks",
    "masked_rules",
    "masking",
    "random_mask_specs",
    "train_weights",
]
