"""Paths of the leaves of any pytree, such as "a/b/c": lookups by path, one random key per path."""

import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

SEPARATOR = "/"


def flatten_with_paths(tree: Any) -> dict[str, Any]:
    """Flattens a pytree into `{path: leaf}`, in the order of `jax.tree.leaves`.

    A path joins the keys of dicts, the indices of sequences and the names of attributes with
    `/`. Flax NNX states end in the attribute that holds the array: `layers/0/kernel/value`. A node
    that stands for a floating array of integers (`__jax_array__`, as of a quantized weight) is one
    leaf.

    Args:
        tree: Any pytree.

    Returns:
        The leaves under their paths.

    Raises:
        ValueError: If two leaves get the same path.

    Example:
        >>> flatten_with_paths({"layer": [{"kernel": 1.0}, {"kernel": 2.0}]})
        {'layer/0/kernel': 1.0, 'layer/1/kernel': 2.0}
    """
    flat = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_dequantizes)[0]
    named = {_name(path): leaf for path, leaf in flat}
    if len(named) != len(flat):
        names = [_name(path) for path, _ in flat]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"Two leaves share the path {duplicate!r}; rename one of them.")
    return named


def update_leaves(tree: Any, leaves: Mapping[str, Any]) -> Any:
    """Replaces leaves of a pytree.

    Args:
        tree: Any pytree.
        leaves: `{path: new leaf}`; every path must exist in `tree`.

    Returns:
        A pytree of the same structure. Other leaves are the same objects.

    Raises:
        ValueError: If a path is not in `tree`.

    Example:
        >>> update_leaves({"kernel": 1.0, "bias": 0.0}, {"kernel": 5.0})
        {'bias': 0.0, 'kernel': 5.0}
    """
    flat, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_dequantizes)
    names = [_name(path) for path, _ in flat]
    unknown = sorted(set(leaves) - set(names))
    if unknown:
        raise ValueError(f"Expected paths of the tree, got {unknown}; the tree has {names[:5]}...")
    updated = [leaves.get(name, leaf) for name, (_, leaf) in zip(names, flat, strict=True)]
    return jax.tree.unflatten(structure, updated)


def fold_in_path(key: jax.Array, path: str) -> jax.Array:
    """Derives the random key of one leaf from its path.

    Leaves of equal shape get different numbers, which do not depend on other leaves. The path
    enters through CRC-32, which is the same in every process and on every machine (Python's own
    `hash` is not).

    Example:
        >>> a, b = (fold_in_path(jax.random.key(0), p) for p in ("a/kernel", "b/kernel"))
        >>> bool(jax.random.key_data(a)[1] == jax.random.key_data(b)[1])
        False
    """
    return jax.random.fold_in(key, zlib.crc32(path.encode()))


def _dequantizes(node: Any) -> bool:
    """Whether a node acts as a floating array although its children are not floating."""
    if not hasattr(node, "__jax_array__") or not _is_floating(node):
        return False
    # A variable that merely holds a floating array, as in Flax, stays a node.
    children = jax.tree.leaves(node, is_leaf=lambda child: child is not node)
    return any(hasattr(child, "dtype") and not _is_floating(child) for child in children)


def _is_floating(array: Any) -> bool:
    dtype = getattr(array, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.floating)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=SEPARATOR)
