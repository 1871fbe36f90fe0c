"""The start that keeps every weight by a margin in proportion to its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp

from maskjax.masking.binarizers import THRESHOLD
from maskjax.masking.checks import check_number
from maskjax.masking.initializers import Initializer

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Float32, PRNGKeyArray


def proportional(
    margin: float = 0.05, *, threshold: float = THRESHOLD, protect: float = 0.0
) -> Initializer:
    """Every weight is kept, by a margin in proportion to its size: S = τ + m · |W| / mean |W|.

    Adam moves all scores by steps of about the same size, so a weight is dropped once gradients
    have pushed it towards zero for a time in proportion to |W|, as finetuning would move it all
    the way to zero. Small weights, which hardly matter, go first, and no mass of weights crosses
    the threshold in the same step, which is what breaks training from equal scores.

    Args:
        margin: m, the mean distance above the threshold, greater than 0.
        threshold: τ.
        protect: A transform that is given this initializer keeps weights smaller than this
            multiple of mean |W| for good, whatever an optimizer does to their scores. Dropping
            them would change little and cost bits in the task file. A function around the
            initializer hides it from the transform.

    Returns:
        An initializer. Unprotected, a weight of exactly zero starts at τ, which drops it and
        changes nothing; where all are zero, every score starts at τ + m.

    Raises:
        ValueError: If `margin` is not above 0, `protect` is below 0, or a number is NaN or
            infinite.

    Example:
        >>> import jax
        >>> scores = proportional(0.1)(jax.random.key(0), jnp.array([1.0, 2.0, 3.0]))
        >>> [f"{score:.2f}" for score in scores]
        ['0.06', '0.11', '0.16']
    """
    for name, value in (("margin", margin), ("threshold", threshold), ("protect", protect)):
        check_number(name, value)
    if margin <= 0:
        raise ValueError(f"Expected a margin > 0, got {margin} instead.")
    if protect < 0:
        raise ValueError(f"Expected protect >= 0, got {protect} instead.")
    return _Proportional(margin, threshold, protect)


@dataclass(frozen=True)
class _Proportional:
    margin: float
    threshold: float
    protect: float

    def __call__(
        self, key: PRNGKeyArray, magnitude: Float[Array, "*shape"]
    ) -> Float32[Array, "*shape"]:
        del key
        return self.threshold + self.margin * _relative(magnitude)


def protection_of(initializer: Initializer) -> float:
    """The multiple of mean |W| below which an initializer wants weights to be kept for good."""
    return initializer.protect if isinstance(initializer, _Proportional) else 0.0


def is_below(multiple: float, magnitude: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Where weights are smaller than this multiple of their mean, bool."""
    return _relative(magnitude) < multiple


def _relative(magnitude: Float[Array, "*shape"]) -> Float32[Array, "*shape"]:
    size = magnitude.astype(jnp.float32)
    mean = size.mean()
    return jnp.where(mean > 0, size / mean, 1.0)
