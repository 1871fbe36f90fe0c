"""An adaptation is a pair of pure functions over pytrees; masking is one among others.

The model sees only params and the trainer sees only what is trainable: neither knows which
adaptation it runs.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.masking import leaves_by_path, replace_leaves

Params = Any
Trainable = Any
Frozen = dict[str, dict[str, jax.Array]]
"""What is left of an adaptation once training is over, by sort and path: `mask` (bool, 1 =
keep), `weight` (arrays that replace leaves), `lora_a` and `lora_b` (factors to add)."""


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
        freeze: `(trainable, params) -> frozen`: what a user keeps. `merge(frozen, params)`
            equals `apply(trainable, params)`.
        stats: `(trainable, params) -> {name: scalar}` for the log; runs inside `jax.jit`. Where
            there are masks it holds their `sparsity`, differentiable in `trainable`,
            straight-through.
        penalty: `(trainable, params, step) -> scalar`, float32, added to the loss; `step` counts
            the steps that are done.
    """

    init: Callable[[jax.Array, Params], Trainable]
    apply: _Apply
    freeze: Callable[[Trainable, Params], Frozen]
    stats: Callable[[Trainable, Params], dict[str, jax.Array]]
    penalty: Callable[[Trainable, Params, jax.typing.ArrayLike], jax.Array] = no_penalty


def merge(frozen: Mapping[str, Mapping[str, jax.Array | np.ndarray]], params: Params) -> Params:
    """Puts a frozen adaptation into params: replace weights, add factors, then mask.

    Args:
        frozen: What `Adaptation.freeze` gave, perhaps read back from a file.
        params: The base model's params with a head of any values.

    Returns:
        Adapted params of the same structure.

    Raises:
        ValueError: If a path is not in `params`.

    Example:
        >>> import jax.numpy as jnp
        >>> frozen = {"weight": {"kernel": jnp.array([3.0, 4.0])},
        ...           "mask": {"kernel": jnp.array([True, False])}}
        >>> merge(frozen, {"kernel": jnp.zeros(2)})["kernel"].tolist()
        [3.0, 0.0]
    """
    known = leaves_by_path(params)
    unknown = sorted({path for sort in frozen.values() for path in sort} - set(known))
    if unknown:
        raise ValueError(
            f"Expected paths of the params, got {unknown[:5]}; the params have {list(known)[:5]}..."
        )
    params = replace_leaves(params, frozen.get("weight", {}))
    leaves = leaves_by_path(params)
    factors = frozen.get("lora_a", {})
    second = frozen.get("lora_b", {})
    params = replace_leaves(
        params, {path: leaves[path] + (a @ second[path]) for path, a in factors.items()}
    )
    leaves = leaves_by_path(params)
    masks = frozen.get("mask", {})
    return replace_leaves(
        params,
        {path: leaves[path] * mask.astype(leaves[path].dtype) for path, mask in masks.items()},
    )


def combine(**parts: Adaptation) -> Adaptation:
    """Applies several adaptations one after the other, each with trainables of its own.

    Args:
        **parts: Adaptations by name, in the order of application. The names are the keys of the
            trainable dict, by which an optimiser can tell them apart. Parts that change the same
            leaf come in the order of `merge`: a weight, then factors, then a mask.

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

    def freeze(trainable: Trainable, params: Params) -> Frozen:
        frozen: Frozen = {}
        for name, part in parts.items():
            for sort, leaves in part.freeze(trainable[name], params).items():
                frozen.setdefault(sort, {}).update(leaves)
        return frozen

    def stats(trainable: Trainable, params: Params) -> dict[str, jax.Array]:
        found = [part.stats(trainable[name], params) for name, part in parts.items()]
        return {key: value for part in found for key, value in part.items()}

    def penalty(trainable: Trainable, params: Params, step: jax.typing.ArrayLike) -> jax.Array:
        found = [part.penalty(trainable[name], params, step) for name, part in parts.items()]
        return sum(found, start=jnp.zeros((), jnp.float32))

    return Adaptation(init, apply, freeze, stats, penalty)
