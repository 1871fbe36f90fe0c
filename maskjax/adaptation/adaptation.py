"""An adaptation is three pure functions over pytrees; masking is one among others.

The model sees only params and the trainer sees only what is trainable: neither knows which
adaptation it runs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax

from maskjax.adaptation.delta import Delta, Params

Trainable = Any


class _Apply(Protocol):
    def __call__(
        self, trainable: Trainable, params: Params, /, *, key: jax.Array | None = None
    ) -> Params: ...


class Adaptation(NamedTuple):
    """Pure functions between frozen params, trainable arrays and adapted params.

    Attributes:
        init: `(key, params) -> trainable`, a pytree of float32 arrays.
        apply: `(trainable, params, *, key=None) -> params`, differentiable in `trainable`.
            `key` is for adaptations that sample.
        finalize: `(trainable, params) -> delta`: what a task adds to its base once training is
            over. `delta.apply(params)` equals `apply(trainable, params)`.

    Example:
        >>> from maskjax.adaptation import Delta
        >>> scale = Adaptation(
        ...     init=lambda key, params: 1.0,
        ...     apply=lambda trainable, params, *, key=None: {"w": trainable * params["w"]},
        ...     finalize=lambda trainable, params: Delta.of(weights={"w": trainable * params["w"]}),
        ... )
        >>> scale.apply(2.0, {"w": 3.0})
        {'w': 6.0}
    """

    init: Callable[[jax.Array, Params], Trainable]
    apply: _Apply
    finalize: Callable[[Trainable, Params], Delta]


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
        last = next(reversed(parts), None)
        for name, part in parts.items():
            delta |= part.finalize(trainable[name], params)
            if name != last:  # a part finds what the parts before it have changed
                params = part.apply(trainable[name], params)
        return delta

    return Adaptation(init, apply, finalize)
