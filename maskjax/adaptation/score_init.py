"""How scores are initialized, and which random masks a task file can name."""

from collections.abc import Iterable

import jax

from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import constant, magnitude, proportional, uniform
from maskjax.masking.initializers import (
    SPREAD,
    Initializer,
    Initializers,
    double_uniform,
    random_count,
    random_mask_spec,
)
from maskjax.masking.packed import RandomMaskSpec
from maskjax.masking.paths import fold_in_path
from maskjax.models import Model, head_paths

SPARSITY = 0.05
"""The paper's fraction of zeros at the start."""

KEEP_ALL = ("proportional", "ones")
"""Initializers that keep every weight."""

UNFIT = {
    "sign": ("double_uniform",),  # both bands lie above zero
    # Logits near zero are coin flips.
    "bernoulli": (
        "proportional",
        "ones",
        "magnitude",
        "magnitude_and_uniform",
        "random",
        "double_uniform",
    ),
    "top_k": ("ones",),  # among equal scores the position would decide
    "global_top_k": ("ones",),
}
"""Initializers that a binarizer would take for something else."""

SCALED_BY_THRESHOLD = ("magnitude", "magnitude_and_uniform", "random", "double_uniform")
"""Initializers whose scores are multiples of the threshold."""


def sparsity_of(config: AdaptationConfig) -> float:
    """The fraction of zeros that a configuration means."""
    return config.sparsity or SPARSITY


def make_initializer(config: AdaptationConfig, model: Model) -> Initializers | None:
    """The initializer that a configuration asks for."""
    _check(config)
    threshold, sparsity = config.threshold, sparsity_of(config)
    match config.initializer:
        case "proportional":
            initializer = proportional(config.margin, threshold=threshold, protect=config.protect)
        case "ones":
            initializer = constant(threshold + config.margin)
        case "uniform":
            initializer = None
        case "magnitude":
            initializer = magnitude(sparsity, threshold=threshold)
        case "magnitude_and_uniform":
            initializer = _magnitude_and_uniform(config, model)
        case "random":
            initializer = random_count(sparsity, threshold=threshold)
        case "double_uniform":
            initializer = double_uniform(sparsity, threshold=threshold)
    return initializer


def _check(config: AdaptationConfig) -> None:
    if config.initializer in UNFIT.get(config.binarizer, ()):
        raise InputError(
            f"adaptation.initializer: {config.initializer} does not fit the scores of "
            f"{config.binarizer}; use --adaptation.initializer uniform."
        )
    if config.threshold <= 0 and config.initializer in SCALED_BY_THRESHOLD:
        raise InputError(
            f"adaptation.threshold: the scores of the initializer {config.initializer} are "
            f"multiples of it, expected above 0, got {config.threshold}; use "
            "--adaptation.initializer proportional."
        )
    is_uniform = config.initializer == "uniform" and config.binarizer == "threshold"
    if is_uniform and config.threshold <= -SPREAD:
        raise InputError(
            f"adaptation.threshold: expected above {-SPREAD} for the initializer uniform, got "
            f"{config.threshold}; use --adaptation.initializer proportional."
        )
    keeps_all = config.initializer in KEEP_ALL and not config.binarizer.endswith("top_k")
    if keeps_all and config.sparsity is not None:
        raise InputError(
            f"adaptation.sparsity: the initializer {config.initializer} keeps every weight; "
            "leave it out, or use --adaptation.initializer uniform."
        )
    if config.protect and config.initializer != "proportional":
        raise InputError(
            f"adaptation.protect: the initializer {config.initializer} protects nothing; leave it "
            "out, or use --adaptation.initializer proportional."
        )
    if config.initializer == "magnitude_and_uniform" and config.head == "trained":
        raise InputError(
            "adaptation.initializer: the uniform half of magnitude_and_uniform is for a masked "
            "head; use --adaptation.initializer magnitude, or add --adaptation.head masked."
        )


def _magnitude_and_uniform(config: AdaptationConfig, model: Model) -> dict[str, Initializer]:
    sparsity = sparsity_of(config)
    bound = 0.0 if config.binarizer == "sign" else config.threshold  # of the binarizer itself
    in_head = uniform(sparsity, threshold=bound, spread=min(SPREAD, sparsity))
    in_encoder = magnitude(sparsity, threshold=config.threshold)
    return {**dict.fromkeys(head_paths(model), in_head), ".*": in_encoder}


def random_mask_specs(
    config: AdaptationConfig, key: jax.Array, paths: Iterable[str]
) -> dict[str, RandomMaskSpec]:
    """The masks that a run began with, where a few bytes can name them.

    Args:
        config: The method and its initializer.
        key: The key that `Adaptation.init` was given.
        paths: The paths of the masks.

    Returns:
        `{path: spec}` for the uniform initializer of threshold and sign masks with one score per
        weight; else nothing.
    """
    named = (
        config.method == "mask"
        and config.initializer == "uniform"
        and config.binarizer in ("threshold", "sign")
        and config.granularity == "weight"
    )
    sparsity = sparsity_of(config)
    return {path: random_mask_spec(fold_in_path(key, path), sparsity) for path in paths if named}
