"""The leaves that an adaptation changes: selected by rules, and checked."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking.paths import flatten_with_paths
from maskjax.masking.selection import Rules, select_paths, untied_paths


def select_weights(params: Any, rules: Rules) -> dict[str, Any]:
    """Selects the weights that an adaptation changes.

    Example:
        >>> from maskjax.masking.selection import make_rules
        >>> params = {"kernel": jnp.ones(2), "bias": jnp.ones(2)}
        >>> list(select_weights(params, make_rules("kernel")))
        ['kernel']
    """
    leaves = flatten_with_paths(params)
    weights = {path: as_weight(path, leaves[path]) for path in select_paths(list(leaves), rules)}
    check_untied(leaves, weights, rules)
    return weights


def as_weight(path: str, leaf: Any) -> Any:
    """A leaf as an array that a mask can multiply.

    Example:
        >>> as_weight("dense/kernel", np.ones(2, np.int8))
        Traceback (most recent call last):
        ...
        ValueError: dense/kernel: expected floating weights, got int8; ...
    """
    weight = jnp.asarray(leaf) if hasattr(leaf, "__jax_array__") else leaf
    dtype = getattr(weight, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"{path}: expected floating weights, got {dtype or type(leaf).__name__}; leave it out "
            "of the rules, or give a stand-in that dequantizes itself by __jax_array__."
        )
    return weight


def check_untied(leaves: dict[str, Any], paths: Iterable[str], rules: Rules) -> None:
    """Rejects a weight that is the same array as another leaf, unless its rule unties it.

    Each path would get its own scores, so the two would no longer be equal. Inside `jax.jit` the
    leaves that are arguments are different tracers, and ties cannot be detected.
    """
    chosen = set(paths) - untied_paths(list(leaves), rules)
    owners: dict[Any, str] = {}
    for path, leaf in leaves.items():
        memory = _memory(leaf)
        if memory is None:
            continue
        owner = owners.setdefault(memory, path)
        if owner != path and {owner, path} & chosen:
            raise ValueError(
                f"{owner} and {path} are one array (tied weights), which two masks would set "
                "apart; copy one of them, leave both out of the rules, or give a rule with untie."
            )


def _memory(leaf: Any) -> Any:
    """The identity of an array's memory; views in NumPy are different objects of one memory."""
    if isinstance(leaf, np.ndarray):
        return (leaf.__array_interface__["data"][0], leaf.size) if leaf.size else None
    is_array = isinstance(leaf, jax.Array) or hasattr(leaf, "__jax_array__")
    return id(leaf) if is_array else None
