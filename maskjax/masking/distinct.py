"""Pytrees in which an array can be the leaf of several paths."""

from collections.abc import Callable
from typing import Any

import jax


def distinct_leaves(tree: Any) -> list[Any]:
    """The leaves, those that are the very same object once.

    Example:
        >>> shared = jax.numpy.ones(2)
        >>> len(distinct_leaves({"a": shared, "b": shared, "c": jax.numpy.ones(2)}))
        2
    """
    return list({id(leaf): leaf for leaf in jax.tree.leaves(tree)}.values())


def once_per_array(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function of an array give one result for all paths of that array.

    Args:
        function: `(array, *rest) -> result`; the rest has to be hashable.

    Returns:
        The function, which remembers the arrays that it was called with; for one use.

    Example:
        >>> shared = jax.numpy.ones(2)
        >>> halve = once_per_array(lambda leaf: leaf / 2)
        >>> halves = jax.tree.map(halve, {"a": shared, "b": shared})
        >>> halves["a"] is halves["b"]
        True
    """
    results: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def once(leaf: Any, *rest: Any) -> Any:
        key = (id(leaf), *rest)
        if key not in results:
            results[key] = leaf, function(leaf, *rest)  # the leaf stays, and so does its id
        return results[key][1]

    return once
