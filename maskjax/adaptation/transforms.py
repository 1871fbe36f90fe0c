"""The adaptations themselves: masked weights, trained weights, and low-rank updates."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from maskjax.adaptation.adaptation import Adaptation, Trainable
from maskjax.adaptation.delta import Delta, Params, at_least_float32
from maskjax.masking import MaskTransform, flatten_with_paths, update_leaves
from maskjax.masking.checks import check_key
from maskjax.masking.leaves import as_weight, select_weights
from maskjax.masking.packed import PackedMask, unpack_bits
from maskjax.masking.paths import fold_in_path
from maskjax.masking.placement import place_like
from maskjax.masking.selection import Where, make_rules


def masking(transform: MaskTransform) -> Adaptation:
    """Trains the scores of a mask transform; every weight stays frozen.

    Args:
        transform: From `maskjax.masking`.

    Returns:
        An adaptation whose trainable is `{path: scores}`.

    Example:
        >>> from maskjax.masking import constant, threshold_mask
        >>> params = {"kernel": jnp.ones(4)}
        >>> adaptation = masking(threshold_mask(initializer=constant(1.0), where="kernel"))
        >>> scores = {"kernel": adaptation.init(jax.random.key(0), params)["kernel"].at[0].set(0.0)}
        >>> adaptation.finalize(scores, params).masks["kernel"].tolist()
        [False, True, True, True]
    """

    def finalize(scores: Trainable, params: Params) -> Delta:
        return Delta.of(masks=transform.masks(scores, params))

    return Adaptation(transform.init, transform.apply, finalize)


def train_weights(where: Where) -> Adaptation:
    """Trains a copy of the selected leaves: all of them, the head, or the biases.

    Args:
        where: What selects leaves by path, as in `maskjax.masking.mask_transform`.

    Returns:
        An adaptation whose trainable is `{path: weight}`, float32 or wider, starting at the frozen
        values; `apply` gives them in the dtype of each leaf. Its `init` raises ValueError for a
        selected leaf that is not floating, or is the same array as another leaf.

    Example:
        >>> params = {"kernel": jnp.ones(2, jnp.bfloat16), "bias": jnp.zeros(2)}
        >>> weights = train_weights("kernel").init(jax.random.key(0), params)
        >>> {path: str(leaf.dtype) for path, leaf in weights.items()}
        {'kernel': 'float32'}
    """
    rules = make_rules(where)

    def init(key: jax.Array, params: Params) -> Trainable:
        check_key(key)
        weights = select_weights(params, rules)
        return {path: jnp.array(w, at_least_float32(w.dtype)) for path, w in weights.items()}

    def apply(weights: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        del key
        return Delta.of(weights=weights).apply(params)

    def finalize(weights: Trainable, params: Params) -> Delta:
        del params
        return Delta.of(weights=weights)

    return Adaptation(init, apply, finalize)


def fixed_masks(masks: Mapping[str, PackedMask]) -> Adaptation:
    """Holds masks over the weights that the parts before it train; itself it trains nothing.

    Args:
        masks: By path. They stay packed in compiled programs, of which they are constants.

    Returns:
        An adaptation whose trainable is empty.

    Example:
        >>> import numpy as np
        >>> from maskjax.adaptation import combine
        >>> from maskjax.masking.packed import PackedMask
        >>> fixed = fixed_masks({"kernel": PackedMask.of(np.array([True, False]))})
        >>> both = combine(weights=train_weights("kernel"), fixed=fixed)
        >>> params = {"kernel": jnp.array([2.0, 3.0])}
        >>> both.apply(both.init(jax.random.key(0), params), params)["kernel"].tolist()
        [2.0, 0.0]
    """

    def unpacked() -> dict[str, jax.Array]:
        return {path: unpack_bits(jnp.asarray(m.bits), m.shape) for path, m in masks.items()}

    def init(key: jax.Array, params: Params) -> Trainable:
        del key, params
        return {}

    def apply(trainable: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        del trainable, key
        leaves = flatten_with_paths(params)
        masks = unpacked()
        weights = {path: as_weight(path, leaves[path]) for path in masks}
        placed = {path: place_like(mask, weights[path]) for path, mask in masks.items()}
        return update_leaves(
            params, {path: jnp.where(placed[path], w, 0) for path, w in weights.items()}
        )

    def finalize(trainable: Trainable, params: Params) -> Delta:
        del trainable, params
        return Delta.of(masks=unpacked())

    return Adaptation(init, apply, finalize)


def lora(where: Where, *, rank: int = 8, alpha: float = 16.0) -> Adaptation:
    """Adds a low-rank update (α/r) A B to each selected matrix.

    A is drawn from U(−1/√in, 1/√in) and B starts at zero, so training starts at the base model.

    Args:
        where: What selects matrices `[in, out]` by path, as in `maskjax.masking.mask_transform`.
        rank: r.
        alpha: α.

    Returns:
        An adaptation whose trainable is `{path: {"a": [in, r], "b": [r, out]}}`, whole on each
        device of the matrix. Its `init` raises ValueError for a selected leaf that is no matrix, is
        not floating, or is the same array as another leaf.

    Example:
        >>> params = {"kernel": jnp.ones((4, 6))}
        >>> factors = lora("kernel", rank=2).init(jax.random.key(0), params)
        >>> {name: factor.shape for name, factor in factors["kernel"].items()}
        {'a': (4, 2), 'b': (2, 6)}

    References:
        Hu et al., LoRA, 2021, https://arxiv.org/abs/2106.09685.
    """
    scale = alpha / rank
    rules = make_rules(where)

    def init_leaf(key: jax.Array, path: str, weight: jax.Array) -> dict[str, jax.Array]:
        if weight.ndim != 2:
            raise ValueError(
                f"{path}: expected a matrix for a low-rank update, got {weight.shape}."
            )
        rows, columns = weight.shape
        bound = rows**-0.5
        a = jax.random.uniform(fold_in_path(key, path), (rows, rank), jnp.float32, -bound, bound)
        factors = {"a": a, "b": jnp.zeros((rank, columns), jnp.float32)}
        return {name: place_like(factor, weight) for name, factor in factors.items()}

    def init(key: jax.Array, params: Params) -> Trainable:
        check_key(key)
        return {p: init_leaf(key, p, w) for p, w in select_weights(params, rules).items()}

    def apply(factors: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        del key
        return finalize(factors, params).apply(params)

    def finalize(factors: Trainable, params: Params) -> Delta:
        del params
        return Delta.of(low_rank={path: (scale * f["a"], f["b"]) for path, f in factors.items()})

    return Adaptation(init, apply, finalize)
