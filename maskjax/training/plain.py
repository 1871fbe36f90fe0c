"""A state as plain arrays by path and back again, and whether any bit of it has changed."""

import zlib
from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Tree = TypeVar("Tree")
Plain = dict[str, jax.Array | np.ndarray]
"""Arrays by path; none of them is empty, and none holds keys."""


def to_plain(tree: Any) -> Plain:
    """Takes a pytree apart.

    Example:
        >>> {path: leaf.tolist() for path, leaf in to_plain({"a": (1, np.zeros(2))}).items()}
        {'a/0': 1, 'a/1': [0.0, 0.0]}
    """
    return {path: _plain_leaf(leaf) for path, leaf in _named(tree).items()}


def from_plain(plain: Mapping[str, Any], like: Tree) -> Tree:
    """The inverse of `to_plain`."""
    wanted = _named(like).keys()

    def take(path: Any, leaf: Any) -> Any:
        name = _name(path)
        return _leaf_like(plain[name], leaf) if name in wanted else leaf

    return jax.tree_util.tree_map_with_path(take, like)


def digest_plain(plain: Mapping[str, jax.Array | np.ndarray]) -> np.ndarray:
    """A number for each array, which is another one if any one word of the array is.

    Arrays are read where they are, shard by shard, and the shards make no difference.
    """
    sums = [_digest(plain[path]) for path in sorted(plain)]
    return np.array(jax.device_get(sums), np.uint32)


def _named(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_name(path): leaf for path, leaf in leaves if np.size(leaf)}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _plain_leaf(leaf: Any) -> jax.Array | np.ndarray:
    if not isinstance(leaf, jax.Array):
        return np.asarray(leaf)
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _leaf_like(plain: Any, leaf: Any) -> Any:
    if isinstance(leaf, int | float):
        return type(leaf)(plain)
    if isinstance(leaf, jax.Array) and _is_key(leaf):
        return jax.random.wrap_key_data(plain, impl=jax.random.key_impl(leaf))
    return plain


def _is_key(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _digest(leaf: jax.Array | np.ndarray) -> jax.Array | int:
    return _sum_words(leaf) if isinstance(leaf, jax.Array) else zlib.crc32(leaf.tobytes())


@jax.jit
def _sum_words(leaf: jax.Array) -> jax.Array:
    """The words, each times an odd number that depends on its place, added modulo 2³²."""
    if jnp.issubdtype(leaf.dtype, np.floating):
        leaf = leaf.view(f"uint{8 * leaf.dtype.itemsize}")
    place = np.uint32(0)
    for axis, size in enumerate(leaf.shape):
        place = place * size + jax.lax.broadcasted_iota(np.uint32, leaf.shape, axis)
    return (leaf.astype(np.uint32) * (2 * place + 1)).sum(dtype=np.uint32)
