"""Several runs in one program, over one copy of the frozen base.

Each run is a lane. What a run owns (its trainable, its optimizer's state, its keys, its batches and
the leaves that were drawn for its seed) gets a leading axis of lanes; what all runs share has
none. `Lanes` hides that axis: for one run it does nothing at all.
"""

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models.model import Params

Value = TypeVar("Value")
Transition = Callable[..., tuple[Any, Any]]
"""`(state, params, *rest) -> (state, output)` of one run."""


class LaneParams(NamedTuple):
    """The frozen params of several runs.

    Attributes:
        shared: Params of the first run; those leaves count that all runs have in common.
        own: `{path: stacked leaves}`, `[lanes, ...]`, of the others.
    """

    shared: Params
    own: dict[str, jax.Array]


class Lanes:
    """The runs that one program is for.

    Args:
        params: The params of each run. A leaf that all runs hold the very same array of is shared,
            and there is one copy of it.
        how: How `in_place` goes through the lanes, batched or one after the other.

    Attributes:
        count: How many runs there are.
        params: What functions of these lanes take as params: of one run its params as they are,
            of several `LaneParams`.

    Example:
        >>> base = jnp.ones(2)
        >>> lanes = Lanes([{"base": base, "head": jnp.full(1, seed)} for seed in (3.0, 4.0)])
        >>> list(lanes.params.own)
        ['head']
        >>> total = lambda scale, params: scale * (params["base"].sum() + params["head"])
        >>> lanes.over(total)(jnp.array([1.0, 10.0]), lanes.params).tolist()
        [[5.0], [60.0]]
    """

    def __init__(self, params: Sequence[Params], how: Literal["vmap", "map"] = "vmap") -> None:
        self.count = len(params)
        self.params = params[0] if self.count == 1 else _stack_own(params)
        self._how = how

    def stack(self, values: Sequence[Value]) -> Value:
        """Puts values of all runs together: pytrees of arrays of NumPy or of JAX."""
        if self.count == 1:
            return values[0]
        return jax.tree.map(_stack_leaves, *values)

    def split(self, value: Value) -> list[Value]:
        """The inverse of `stack`."""
        return [self.one(value, lane) for lane in range(self.count)]

    def one(self, value: Value, lane: int) -> Value:
        """The value of one run, out of those of all."""
        return value if self.count == 1 else jax.tree.map(operator.itemgetter(lane), value)

    def over(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Makes a function of one run one of all runs, in one batched computation.

        Args:
            function: `(value, params, *rest) -> output`, pure.

        Returns:
            The same function of stacked values, `params` and stacked rest.
        """
        if self.count == 1:
            return function

        def one(shared: Params, own: dict[str, jax.Array], value: Any, *rest: Any) -> Any:
            return function(value, update_leaves(shared, own), *rest)

        def over_all(value: Any, params: LaneParams, *rest: Any) -> Any:
            axes = (None, *(0 for _ in range(2 + len(rest))))
            return jax.vmap(one, in_axes=axes)(params.shared, params.own, value, *rest)

        return over_all

    def in_place(self, function: Transition) -> Transition:
        """Makes a step of one run one of all runs, batched or lane after lane.

        Lane after lane, gradients and activations take the memory of one lane, and each new state
        is put in the place of the old one. XLA on CPU yet copies some of the states in that loop.

        Args:
            function: `(state, params, *rest) -> (state, output)`, pure; the new state has the
                shapes of the old one.

        Returns:
            The same function of stacked states, `params` and stacked rest.
        """
        if self.count == 1 or self._how == "vmap":
            return self.over(function)

        def one_after_the_other(states: Any, params: LaneParams, *rest: Any) -> tuple[Any, Any]:
            def one(states: Any, lane: jax.Array) -> tuple[Any, Any]:
                state, own, mine = _pick((states, params.own, rest), lane)
                state, output = function(state, update_leaves(params.shared, own), *mine)
                return _put(states, state, lane), output

            return jax.lax.scan(one, states, jnp.arange(self.count))

        return one_after_the_other

    def choose(self, flags: np.ndarray, new: Value, old: Value) -> Value:
        """Takes the new value of the runs whose flag is set, and the old one of the others.

        Args:
            flags: bool `[lanes]`.
            new: A pytree of arrays; the result shares no memory with it.
            old: The same; its arrays are given up.

        Returns:
            The values that were chosen.
        """
        if not flags.any():
            return old
        if self.count == 1:
            return jax.tree.map(jnp.copy, new)
        return _choose(flags, new, old)


def _stack_own(params: Sequence[Params]) -> LaneParams:
    leaves = [flatten_with_paths(some) for some in params]
    own = [
        path for path, leaf in leaves[0].items() if any(other[path] is not leaf for other in leaves)
    ]
    return LaneParams(params[0], {path: jnp.stack([some[path] for some in leaves]) for path in own})


def _stack_leaves(*leaves: Any) -> Any:
    """Batches are still NumPy's; the step moves them to the device."""
    return np.stack(leaves) if isinstance(leaves[0], np.ndarray) else jnp.stack(leaves)


def _pick(stacked: Any, lane: jax.Array) -> Any:
    return jax.tree.map(
        lambda leaf: jax.lax.dynamic_index_in_dim(leaf, lane, keepdims=False), stacked
    )


def _put(stacked: Any, new: Any, lane: jax.Array) -> Any:
    return jax.tree.map(
        lambda old, leaf: jax.lax.dynamic_update_index_in_dim(old, leaf, lane, 0), stacked, new
    )


@partial(jax.jit, donate_argnums=2)
def _choose(flags: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(
        lambda n, o: jnp.where(flags.reshape(-1, *(1 for _ in n.shape[1:])), n, o), new, old
    )
