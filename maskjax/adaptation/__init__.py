"""Ways to adapt a frozen model, all behind one pair of functions: `init` and `apply`."""

from maskjax.adaptation.adaptation import Adaptation, combine, merge, no_penalty
from maskjax.adaptation.lagrangian import MULTIPLIER, hold_sparsity, sparsity_target
from maskjax.adaptation.methods import make_adaptation, make_mask_transform
from maskjax.adaptation.parts import fixed_masks, lora, masking, train_weights
from maskjax.adaptation.selection import masked_blocks, masked_rules
from maskjax.adaptation.starts import random_starts

__all__ = [
    "MULTIPLIER",
    "Adaptation",
    "combine",
    "fixed_masks",
    "hold_sparsity",
    "lora",
    "make_adaptation",
    "make_mask_transform",
    "masked_blocks",
    "masked_rules",
    "masking",
    "merge",
    "no_penalty",
    "random_starts",
    "sparsity_target",
    "train_weights",
]
