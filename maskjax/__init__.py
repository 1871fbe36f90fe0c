"""Adapt a frozen pretrained model to a task by learning a binary mask over its weights.

The functional transforms are here, with `Predictor`, which serves many tasks on one base. The
packages below hold the rest: `maskjax.masking`, `maskjax.models`, `maskjax.adaptation`,
`maskjax.tasks`, `maskjax.taskfile`, `maskjax.inference`, `maskjax.training`. Names are imported
when they are first used, so `import maskjax` loads neither jax nor a model.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskjax.inference import Predictor
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
    "Predictor",
    "bernoulli_mask",
    "mask_transform",
    "sign_mask",
    "threshold_mask",
    "top_k_mask",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "maskjax.inference" if name == "Predictor" else "maskjax.masking"
    return getattr(import_module(module), name)
