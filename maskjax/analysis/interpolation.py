"""Curves between two solutions, as weights of the solutions at their corners.

A point of each curve is a weighted sum of whole solutions, the weights of which add up to one. So a
curve is a function from γ in [0, 1] to weights, the same for models of any size, and whatever mixes
or scores solutions needs to know nothing else of it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

Curve = Callable[[jax.Array], jax.Array]
"""From γ, float32 [...], to the weights of the corners, float32 [..., corners]; the first corner
is at γ = 0, the last one at γ = 1, and one between them is the bend."""
CurveName = Literal["line", "bezier", "chain"]


def line(gamma: jax.Array) -> jax.Array:
    """The straight line θ(γ) = θ₀ + γ (θ₁ − θ₀).

    Example:
        >>> line(jnp.float32(0.25)).tolist()
        [0.75, 0.25]
    """
    return jnp.stack([1 - gamma, gamma], axis=-1)


def bezier(gamma: jax.Array) -> jax.Array:
    """The quadratic Bézier curve θ(γ) = (1 − γ)² θ₀ + 2 γ (1 − γ) θ + γ² θ₁.

    Example:
        >>> bezier(jnp.float32(0.5)).tolist()
        [0.25, 0.5, 0.25]
    """
    rest = 1 - gamma
    return jnp.stack([rest * rest, 2 * gamma * rest, gamma * gamma], axis=-1)


def chain(gamma: jax.Array) -> jax.Array:
    """The polygonal chain with one bend: a line from θ₀ to θ, then one from θ to θ₁.

    Example:
        >>> chain(jnp.float32(0.75)).tolist()
        [0.0, 0.5, 0.5]
    """
    first, last = jnp.maximum(1 - 2 * gamma, 0), jnp.maximum(2 * gamma - 1, 0)
    return jnp.stack([first, 1 - first - last, last], axis=-1)


CURVES: dict[CurveName, Curve] = {"line": line, "bezier": bezier, "chain": chain}
"""The curves by name. `bezier` and `chain` are those of Garipov et al., Loss Surfaces, Mode
Connectivity, and Fast Ensembling of DNNs, 2018, https://arxiv.org/abs/1802.10026."""


def mix(corners: Sequence[Any], weights: jax.Array) -> Any:
    """The point of which a curve says the weights.

    Example:
        >>> corners = {"w": jnp.array([0.0, 8.0])}, {"w": jnp.array([4.0, 0.0])}
        >>> mix(corners, line(jnp.float32(0.25)))["w"].tolist()
        [1.0, 6.0]
    """
    if weights.shape != (len(corners),):
        raise ValueError(
            f"Expected a weight for each of {len(corners)} corners, got shape {weights.shape}."
        )

    def mixed(*leaves: jax.Array) -> jax.Array:
        total = leaves[0].astype(jnp.float32) * weights[0]
        for leaf, weight in zip(leaves[1:], weights[1:], strict=True):
            total += leaf.astype(jnp.float32) * weight
        return total.astype(leaves[0].dtype)

    return jax.tree.map(mixed, *corners)
