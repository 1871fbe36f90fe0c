"""Granularities: one score per weight, per attention head, or per matrix."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from maskjax.masking.placement import gather
from maskjax.masking.selection import choose

HEAD_AXES: Mapping[str, int] = {
    r".*attention/self/(query|key|value|position_query|position_key)/(kernel|bias)": -1,
    r".*attention/output/dense/kernel": 0,
}
"""Pattern of a path → the axis of the attention heads, for the encoders of maskjax."""


class Granularity(NamedTuple):
    """A pair of pure functions between a weight and its scores.

    Attributes:
        reduce: `(path, weight) -> array` in the shape of the scores: the mean absolute value of
            the weights that share each score.
        expand: `(path, mask, shape) -> mask` in the shape of the weight, by broadcasting.
    """

    reduce: Callable[[str, jax.Array], jax.Array]
    expand: Callable[[str, jax.Array, tuple[int, ...]], jax.Array]


def _expand_weight(path: str, mask: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    _check_shape(path, mask, shape)
    return mask


def _expand_matrix(path: str, mask: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    _check_shape(path, mask, ())
    return jnp.broadcast_to(mask, shape)


def _check_shape(path: str, mask: jax.Array, expected: tuple[int, ...]) -> None:
    if mask.shape != expected:
        raise ValueError(f"{path}: expected a mask of shape {expected}, got {mask.shape} instead.")


PER_WEIGHT = Granularity(
    reduce=lambda path, weight: jnp.abs(weight).astype(jnp.float32),
    expand=_expand_weight,
)
"""One score per weight: the paper's unstructured mask."""

PER_MATRIX = Granularity(
    reduce=lambda path, weight: jnp.abs(weight).mean(dtype=jnp.float32),
    expand=_expand_matrix,
)
"""One score per leaf: a matrix is kept or dropped as a whole."""


def per_head(num_heads: int, axes: Mapping[str, int] = HEAD_AXES) -> Granularity:
    """One score per attention head, shared by all of the head's weights in a matrix.

    Args:
        num_heads: Heads of the model; it divides the axis of the heads.
        axes: `{pattern: axis}` of the leaves that have heads. The default is for maskjax's own
            encoders: the output axis of query, key and value (their biases too) and the input axis
            of the attention output.

    Returns:
        A granularity with scores of shape `[num_heads]`. Its functions raise ValueError for a
        leaf that no pattern matches and for an axis that the heads do not divide.

    Example:
        >>> per_head(2, {".*/q_proj": 1}).expand("0/q_proj", jnp.array([1.0, 0.0]), (1, 4)).tolist()
        [[1.0, 1.0, 0.0, 0.0]]
    """

    def reduce(path: str, weight: jax.Array) -> jax.Array:
        axis = _head_axis(path, weight.shape, num_heads, axes)
        other_axes = tuple(a for a in range(weight.ndim) if a != axis)
        means = jnp.abs(weight).mean(axis=other_axes, dtype=jnp.float32)
        return gather(means).reshape(num_heads, -1).mean(axis=1)

    def expand(path: str, mask: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        axis = _head_axis(path, shape, num_heads, axes)
        _check_shape(path, mask, (num_heads,))
        repeated = jnp.broadcast_to(gather(mask)[:, None], (num_heads, shape[axis] // num_heads))
        aligned = repeated.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return jnp.broadcast_to(aligned, shape)

    return Granularity(reduce, expand)


def by_path(choices: Mapping[str, Granularity]) -> Granularity:
    """Combines granularities by path: structured and unstructured masks in one model.

    Args:
        choices: `{pattern: granularity}`; the first pattern that matches the whole path decides.

    Returns:
        A granularity. Its functions raise ValueError for a leaf that no pattern matches.

    Example:
        >>> mixed = by_path({".*/bias": PER_MATRIX, ".*": PER_WEIGHT})
        >>> [mixed.reduce(path, jnp.ones(4)).shape for path in ("dense/bias", "dense/kernel")]
        [(), (4,)]
    """
    return Granularity(
        reduce=lambda path, weight: choose(path, choices).reduce(path, weight),
        expand=lambda path, mask, shape: choose(path, choices).expand(path, mask, shape),
    )


def _head_axis(path: str, shape: tuple[int, ...], num_heads: int, axes: Mapping[str, int]) -> int:
    matching = [axis for pattern, axis in axes.items() if re.fullmatch(pattern, path)]
    if not matching or not -len(shape) <= matching[0] < len(shape):
        raise ValueError(
            f"{path}: has no attention heads; expected a path that matches {', '.join(axes)}."
        )
    axis = matching[0] % len(shape)
    if shape[axis] % num_heads:
        raise ValueError(f"{path}: axis of {shape[axis]} does not divide into {num_heads} heads.")
    return axis
