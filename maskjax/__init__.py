"""Adapt a frozen pretrained model to a task by learning a binary mask over its weights.

The functional transforms are here, and `Predictor`, one base with many tasks; the rooms below hold
the rest: `maskjax.masking`, `maskjax.models`, `maskjax.adaptation`, `maskjax.tasks`,
`maskjax.taskfile`, `maskjax.inference`, `maskjax.training`. Importing this package loads jax and no
model.
"""

from typing import TYPE_CHECKING, Any

from maskjax.masking import (
    MaskTransform,
    bernoulli_mask,
    mask_transform,
    sign_mask,
    threshold_mask,
    top_k_mask,
)

if TYPE_CHECKING:
    from maskjax.inference import Predictor

__version__ = "0.1.0"

__all__ = [
    "MaskTransform",
    "Predictor",
    "bernoulli_mask",
    "mask_transform",
    "sign_mask",
    "threshold_mask",
    "top_k_mask",
]


def __getattr__(name: str) -> Any:
    """Imports what runs models only when it is asked for."""
    if name == "Predictor":
        from maskjax.inference import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
