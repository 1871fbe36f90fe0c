"""Refusing what cannot be meant, as early as it can be seen.

Values are seen where arrays are concrete. Under `jax.jit` only shapes and dtypes are, so the
binarizers turn a score that is NaN into a mask that is NaN, and the loss shows it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer


def is_concrete(value: Any) -> bool:
    """Whether a value is known now, outside of any transformation of JAX."""
    return not isinstance(value, Tracer)


def check_no_nan(what: str, value: Any) -> None:
    """Refuses NaN in an array or a number whose values are known."""
    if _holds_any(value, jnp.isnan):
        raise ValueError(f"{what}: expected numbers, got NaN.")


def check_all_finite(what: str, value: Any) -> None:
    """Refuses NaN and infinity in an array whose values are known."""
    if _holds_any(value, lambda array: ~jnp.isfinite(array)):
        raise ValueError(
            f"{what}: expected finite numbers, got NaN or infinity, which an optimizer spreads; "
            "proportional(protect=...) keeps weights for good."
        )


def _holds_any(value: Any, condition: Callable[[Any], jax.Array]) -> bool:
    if not is_concrete(value):
        return False
    with jax.ensure_compile_time_eval():  # a known value can be asked about within `jax.jit` too
        return bool(condition(value).any())


def check_number(name: str, value: Any) -> None:
    """Refuses a setting that is NaN or infinite, if it is known."""
    if is_concrete(value) and not math.isfinite(value):
        raise ValueError(f"Expected a finite {name}, got {value} instead.")


def check_floating(what: str, array: Any) -> None:
    """Refuses scores that are not floating."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{what}: expected a floating dtype, got {array.dtype}.")


def check_shape(what: str, array: Any, expected: tuple[int, ...]) -> None:
    """Refuses an array of another shape."""
    if array.shape != expected:
        raise ValueError(f"{what}: expected shape {expected}, got {array.shape}.")


def check_key(key: Any) -> None:
    """Refuses what is no random key, such as params in the place of the key."""
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    is_typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    is_raw = dtype == jnp.uint32 and shape is not None and len(shape) == 1
    if not (is_typed or is_raw):
        came = type(key).__name__ if dtype is None else f"{dtype} of shape {shape}"
        raise ValueError(
            "init(key, params): expected a random key first, such as jax.random.key(0), got "
            f"{came}."
        )


def check_scores(scores: Any) -> None:
    """Refuses scores that no transform can use: of another type, dtype, or NaN."""
    if not isinstance(scores, Mapping):
        raise ValueError(
            "apply(scores, params): expected {path: scores} first, as init gives them, got "
            f"{type(scores).__name__}."
        )
    for path, leaf in scores.items():
        if hasattr(leaf, "dtype"):  # nested params in the place of scores are no known paths
            check_floating(f"scores of {path}", leaf)
            check_no_nan(f"scores of {path}", leaf)
