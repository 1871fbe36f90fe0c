"""An adaptation is a pair of pure functions over pytrees; masking is one among others.

The model sees only params and the trainer sees only what is trainable: neither knows which
adaptation it runs.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from maskjax.adaptation.delta import Delta, Params

Trainable = Any


class _Apply(Protocol):
    def __call__(
        self, trainable: Trainable, params: Params, /, *, key: jax.Array | None = None
    ) -> Params: ...


def no_penalty(trainable: Trainable, params: Params, step: jax.typing.ArrayLike) -> jax.Array:
    """The penalty of an adaptation that has none.

    Args:
        trainable: Not used.
        params: Not used.
        step: Not used.

    Returns:
        Zero, a float32 scalar.
    """
    del trainable, params, step
    return jnp.zeros((), jnp.float32)


class Adaptation(NamedTuple):
    """Pure functions between frozen params, trainable arrays and adapted params.

    Attributes:
        init: `(key, params) -> trainable`, a pytree of float32 arrays.
        apply: `(trainable, params, *, key=None) -> params`, differentiable in `trainable`.
            `key` is for adaptations that sample.
        finalize: `(trainable, params) -> delta`: what a task adds to its base once training is
            over. `delta.apply(params)` equals `apply(trainable, params)`.
        stats: `(trainable, params) -> {name: scalar}` for the log; runs inside `jax.jit`. Where
            there are masks it holds their `sparsity`, differentiable in `trainable`,
            straight-through.
        penalty: `(trainable, params, step) -> scalar`, float32, added to the loss; `step` counts
            the steps that are done.
    """

    init: Callable[[jax.Array, Params], Trainable]
    apply: _Apply
    finalize: Callable[[Trainable, Params], Delta]
    stats: Callable[[Trainable, Params], dict[str, jax.Array]]
    penalty: Callable[[Trainable, Params, jax.typing.ArrayLike], jax.Array] = no_penalty


def combine(**parts: Adaptation) -> Adaptation:
    """Applies several adaptations one after the other, each with trainables of its own.

    Args:
        **parts: Adaptations by name, in the order of application. The names are the keys of the
            trainable dict, by which an optimizer can tell them apart. Parts that change the same
            leaf come in the order of a `Delta`: a weight, then factors, then a mask.

    Returns:
        One adaptation.

    Example:
        >>> from maskjax.adaptation import masking, train_weights
        >>> from maskjax.masking import threshold_mask
        >>> import jax.numpy as jnp
        >>> params = {"dense": {"kernel": jnp.ones((4, 4))}, "head": {"kernel": jnp.ones((4, 2))}}
        >>> both = combine(
        ...     scores=masking(threshold_mask(where=["dense/kernel"])),
        ...     head=train_weights(["head/kernel"]),
        ... )
        >>> {name: list(part) for name, part in both.init(jax.random.key(0), params).items()}
        {'scores': ['dense/kernel'], 'head': ['head/kernel']}
    """

    def init(key: jax.Array, params: Params) -> Trainable:
        return {name: part.init(key, params) for name, part in parts.items()}

    def apply(trainable: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        for name, part in parts.items():
            params = part.apply(trainable[name], params, key=key)
        return params

    def finalize(trainable: Trainable, params: Params) -> Delta:
        delta = Delta()
        for name, found in found_by_parts(trainable, params):
            delta |= parts[name].finalize(trainable[name], found)
        return delta

    def stats(trainable: Trainable, params: Params) -> dict[str, jax.Array]:
        each = [
            parts[name].stats(trainable[name], found)
            for name, found in found_by_parts(trainable, params)
        ]
        return {key: value for part in each for key, value in part.items()}

    def found_by_parts(trainable: Trainable, params: Params) -> Iterator[tuple[str, Params]]:
        """The name of each part with the params that it finds: earlier parts have changed them."""
        last = next(reversed(parts), None)
        for name, part in parts.items():
            yield name, params
            if name != last:
                params = part.apply(trainable[name], params)

    def penalty(trainable: Trainable, params: Params, step: jax.typing.ArrayLike) -> jax.Array:
        found = [part.penalty(trainable[name], params, step) for name, part in parts.items()]
        return sum(found, start=jnp.zeros((), jnp.float32))

    return Adaptation(init, apply, finalize, stats, penalty)
