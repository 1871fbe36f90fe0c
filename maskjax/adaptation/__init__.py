"""Ways to adapt a frozen model, all behind one pair of functions: `init` and `apply`."""

from maskjax.adaptation.adaptation import Adaptation, combine, no_penalty
from maskjax.adaptation.delta import Delta, LowRank, Mask, Operation, Weight
from maskjax.adaptation.lagrangian import MULTIPLIER, hold_sparsity, sparsity_target
from maskjax.adaptation.mask_rules import masked_blocks, masked_rules
from maskjax.adaptation.methods import make_adaptation, make_mask_transform
from maskjax.adaptation.starts import random_starts
from maskjax.adaptation.transforms import fixed_masks, lora, masking, train_weights

__all__ = [
    "MULTIPLIER",
    "Adaptation",
    "Delta",
    "LowRank",
    "Mask",
    "Operation",
    "Weight",
    "combine",
    "fixed_masks",
    "hold_sparsity",
    "lora",
    "make_adaptation",
    "make_mask_transform",
    "masked_blocks",
    "masked_rules",
    "masking",
    "no_penalty",
    "random_starts",
    "sparsity_target",
    "train_weights",
]
