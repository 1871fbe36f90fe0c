"""Adapt a frozen pretrained model to a task by learning a binary mask over its weights.

The functional transforms are here; the rooms below hold the rest: `maskjax.masking`,
`maskjax.models`, `maskjax.adaptation`, `maskjax.tasks`, `maskjax.taskfile`,
`maskjax.inference`, `maskjax.training`. Importing this package loads jax and no model.
"""

from maskjax.masking import (
    MaskTransform,
    bernoulli_mask,
    mask_transform,
    sign_mask,
    threshold_mask,
    top_k_mask,
)

__version__ = "0.1.0"

__all__ = [
    "MaskTransform",
    "bernoulli_mask",
    "mask_transform",
    "sign_mask",
    "threshold_mask",
    "top_k_mask",
]
