"""Several seeds in one program: `jax.vmap` of what one seed does, over one copy of the base.

What a seed owns (its trainable, its optimizer's state, its keys, its batches and the leaves that
were drawn for it) gets a leading axis of seeds; what all seeds share has none. A single seed has no
such axis anywhere, so that its program is the plain one.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.models.model import Params

Value = TypeVar("Value")
Transition = Callable[..., tuple[Any, Any]]
"""`(state, params, *rest) -> (state, output)` of one seed."""


class Seeds:
    """The seeds that one program is for.

    Args:
        params: The params of each seed. A leaf that all seeds hold the very same array of is
            shared, and there is one copy of it.
        loop: How `step` goes through the seeds, batched or one after the other.

    Attributes:
        count: How many seeds there are.
        params: The params of all seeds, with a leading axis where they differ.
        axes: The axis of seeds of each leaf of `params`, a tree for `in_axes`: 0 or None.

    Example:
        >>> base = jnp.ones(2)
        >>> seeds = Seeds([{"base": base, "head": jnp.full(1, seed)} for seed in (3.0, 4.0)])
        >>> seeds.axes
        {'base': None, 'head': 0}
        >>> total = lambda scale, params: scale * (params["base"].sum() + params["head"])
        >>> seeds.vmap(total)(jnp.array([1.0, 10.0]), seeds.params).tolist()
        [[5.0], [60.0]]
    """

    def __init__(self, params: Sequence[Params], loop: Literal["vmap", "map"] = "vmap") -> None:
        self.count = len(params)
        self.axes = jax.tree.map(lambda *leaves: None if _are_one(leaves) else 0, *params)
        self.params = jax.tree.map(
            lambda *leaves: leaves[0] if _are_one(leaves) else jnp.stack(leaves), *params
        )
        self._loop = loop

    def stack(self, values: Sequence[Value]) -> Value:
        """Puts values of all seeds together: pytrees of arrays of NumPy or of JAX."""
        if self.count == 1:
            return values[0]
        return jax.tree.map(_stack_leaves, *values)

    def take(self, value: Value, seed: int) -> Value:
        """The value of one seed, by its place, out of those of all."""
        return value if self.count == 1 else jax.tree.map(lambda leaf: leaf[seed], value)

    def vmap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Makes a function of one seed one of all seeds, in one batched computation.

        Args:
            function: `(value, params, *rest) -> output`, pure.

        Returns:
            The same function of stacked values, `params` and stacked rest.
        """
        if self.count == 1:
            return function

        def over_seeds(value: Any, params: Params, *rest: Any) -> Any:
            axes = (0, self.axes, *(0 for _ in rest))
            return jax.vmap(function, in_axes=axes)(value, params, *rest)

        return over_seeds

    def step(self, function: Transition) -> Transition:
        """Makes a step of one seed one of all seeds, batched or seed after seed.

        Seed after seed, gradients and activations take the memory of one seed, and each new state
        is put in the place of the old one. XLA on CPU yet copies some of the states in that loop.

        Args:
            function: `(state, params, *rest) -> (state, output)`, pure; the new state has the
                shapes of the old one.

        Returns:
            The same function of stacked states, `params` and stacked rest.
        """
        if self.count == 1 or self._loop == "vmap":
            return self.vmap(function)

        def seed_after_seed(states: Any, params: Params, *rest: Any) -> tuple[Any, Any]:
            def step_one_seed(states: Any, seed: jax.Array) -> tuple[Any, Any]:
                state, own = jax.tree.map(lambda leaf: leaf[seed], (states, rest))
                drawn = jax.tree.map(
                    lambda axis, leaf: leaf if axis is None else leaf[seed],
                    self.axes,
                    params,
                    is_leaf=lambda axis: axis is None,
                )
                state, output = function(state, drawn, *own)
                return jax.tree.map(lambda old, new: old.at[seed].set(new), states, state), output

            return jax.lax.scan(step_one_seed, states, jnp.arange(self.count))

        return seed_after_seed


def _are_one(leaves: Sequence[Any]) -> bool:
    return all(leaf is leaves[0] for leaf in leaves)


def _stack_leaves(*leaves: Any) -> Any:
    """Batches are still NumPy's; the step moves them to the device."""
    return np.stack(leaves) if isinstance(leaves[0], np.ndarray) else jnp.stack(leaves)
