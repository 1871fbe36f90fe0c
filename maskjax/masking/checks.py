"""Checks of arguments.

Values are checked if arrays are concrete. Under `jax.jit` only shapes and dtypes are known, so the
binarizers turn a score that is NaN into a mask that is NaN, and the loss is NaN too.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer


def is_concrete(value: Any) -> bool:
    """Whether a value is known, outside of any transformation of JAX."""
    return not isinstance(value, Tracer)


def check_no_nan(name: str, value: Any) -> None:
    """Rejects NaN in an array or a number whose values are known."""
    if _holds_any(value, jnp.isnan):
        raise ValueError(f"{name}: expected numbers, got NaN.")


def check_all_finite(name: str, value: Any) -> None:
    """Rejects NaN and infinity in an array whose values are known."""
    if _holds_any(value, lambda array: ~jnp.isfinite(array)):
        raise ValueError(
            f"{name}: expected finite numbers, got NaN or infinity, which an optimizer spreads; "
            "proportional(protect=...) keeps weights permanently."
        )


def _holds_any(value: Any, condition: Callable[[Any], jax.Array]) -> bool:
    if not is_concrete(value):
        return False
    with jax.ensure_compile_time_eval():  # known values can be evaluated within `jax.jit` too
        return bool(condition(value).any())


def check_number(name: str, value: Any) -> None:
    """Rejects a setting that is NaN or infinite, if it is known."""
    if is_concrete(value) and not math.isfinite(value):
        raise ValueError(f"Expected a finite {name}, got {value} instead.")


def check_floating(name: str, array: Any) -> None:
    """Rejects scores that are not floating."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name}: expected a floating dtype, got {array.dtype}.")


def check_shape(name: str, array: Any, expected: tuple[int, ...]) -> None:
    """Rejects an array of another shape."""
    if array.shape != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {array.shape}.")


def check_key(key: Any) -> None:
    """Rejects values other than random keys, such as params in place of the key."""
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    is_typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    is_raw = dtype == jnp.uint32 and shape is not None and len(shape) == 1
    if not (is_typed or is_raw):
        actual = type(key).__name__ if dtype is None else f"{dtype} of shape {shape}"
        raise ValueError(
            "init(key, params): expected a random key first, such as jax.random.key(0), got "
            f"{actual}."
        )


def check_scores(scores: Any) -> None:
    """Rejects scores of a wrong type or dtype, and NaN."""
    if not isinstance(scores, Mapping):
        raise ValueError(
            "apply(scores, params): expected {path: scores} first, as init gives them, got "
            f"{type(scores).__name__}."
        )
    for path, leaf in scores.items():
        if hasattr(leaf, "dtype"):  # nested params in place of scores fail later, as unknown paths
            check_floating(f"scores of {path}", leaf)
            check_no_nan(f"scores of {path}", leaf)
