"""The adaptations themselves: masked weights, trained weights, and low-rank updates."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from maskjax.adaptation.adaptation import Adaptation, Frozen, Params, Trainable
from maskjax.masking import (
    MaskTransform,
    PackedMask,
    Rule,
    count_packed,
    key_for_path,
    leaves_by_path,
    mean_sparsity,
    replace_leaves,
    select_paths,
    total_count,
    unpack_bits,
)


def masking(transform: MaskTransform) -> Adaptation:
    """Trains the scores of a mask transform; every weight stays frozen.

    Args:
        transform: From `maskjax.masking`.

    Returns:
        An adaptation whose trainable is `{path: scores}` and whose stats hold `sparsity`.
    """

    def freeze(scores: Trainable, params: Params) -> Frozen:
        return {"mask": transform.masks(scores, params)}

    def stats(scores: Trainable, params: Params) -> dict[str, jax.Array]:
        return {"sparsity": mean_sparsity(_float_masks(transform, scores, params))}

    return Adaptation(transform.init, transform.apply, freeze, stats)


def _float_masks(transform: MaskTransform, scores: Trainable, params: Params) -> Trainable:
    """Masks of exact zeros and ones with their straight-through gradients: what ones become."""
    leaves = leaves_by_path(params)
    return transform.apply(scores, {path: jnp.ones(leaves[path].shape) for path in scores})


def train_weights(where: Sequence[Rule | str]) -> Adaptation:
    """Trains a copy of the selected leaves: all of them, the head, or the biases.

    Args:
        where: Rules that select leaves by path.

    Returns:
        An adaptation whose trainable is `{path: weight}`, starting at the frozen values.
    """

    def init(key: jax.Array, params: Params) -> Trainable:
        del key
        leaves = leaves_by_path(params)
        return {path: jnp.array(leaves[path]) for path in select_paths(list(leaves), where)}

    def apply(weights: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        del key
        return replace_leaves(params, weights)

    def freeze(weights: Trainable, params: Params) -> Frozen:
        del params
        return {"weight": dict(weights)}

    return Adaptation(init, apply, freeze, lambda weights, params: {})


def fixed_masks(masks: Mapping[str, PackedMask]) -> Adaptation:
    """Holds masks over the weights that the parts before it train; itself it trains nothing.

    Args:
        masks: By path. They stay packed in compiled programs, of which they are constants.

    Returns:
        An adaptation whose trainable is empty and whose stats hold `sparsity`.
    """
    sparsity = total_count(count_packed(masks)).sparsity

    def unpacked() -> dict[str, jax.Array]:
        return {path: unpack_bits(jnp.asarray(m.bits), m.shape) for path, m in masks.items()}

    def init(key: jax.Array, params: Params) -> Trainable:
        del key, params
        return {}

    def apply(nothing: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        del nothing, key
        leaves = leaves_by_path(params)
        return replace_leaves(
            params, {path: jnp.where(mask, leaves[path], 0) for path, mask in unpacked().items()}
        )

    def freeze(nothing: Trainable, params: Params) -> Frozen:
        del nothing, params
        return {"mask": unpacked()}

    def stats(nothing: Trainable, params: Params) -> dict[str, jax.Array]:
        del nothing, params
        return {"sparsity": jnp.float32(sparsity)}

    return Adaptation(init, apply, freeze, stats)


def lora(where: Sequence[Rule | str], *, rank: int = 8, alpha: float = 16.0) -> Adaptation:
    """Adds a low-rank update (α/r) A B to each selected matrix.

    A is drawn from U(−1/√in, 1/√in) and B starts at zero, so training starts at the base model.

    Args:
        where: Rules that select matrices `[in, out]` by path.
        rank: r.
        alpha: α.

    Returns:
        An adaptation whose trainable is `{path: {"a": [in, r], "b": [r, out]}}`. Its `init`
        raises ValueError for a selected leaf that is no matrix.

    References:
        Hu et al., LoRA, 2021, https://arxiv.org/abs/2106.09685.
    """
    scale = alpha / rank

    def init_leaf(key: jax.Array, path: str, weight: jax.Array) -> dict[str, jax.Array]:
        if weight.ndim != 2:
            raise ValueError(
                f"{path}: expected a matrix for a low-rank update, got {weight.shape}."
            )
        rows, columns = weight.shape
        bound = rows**-0.5
        a = jax.random.uniform(key_for_path(key, path), (rows, rank), jnp.float32, -bound, bound)
        return {"a": a, "b": jnp.zeros((rank, columns), jnp.float32)}

    def init(key: jax.Array, params: Params) -> Trainable:
        leaves = leaves_by_path(params)
        return {p: init_leaf(key, p, leaves[p]) for p in select_paths(list(leaves), where)}

    def apply(factors: Trainable, params: Params, *, key: jax.Array | None = None) -> Params:
        del key
        leaves = leaves_by_path(params)
        added = {path: scale * (f["a"] @ f["b"]) for path, f in factors.items()}
        return replace_leaves(
            params, {path: leaves[path] + a.astype(leaves[path].dtype) for path, a in added.items()}
        )

    def freeze(factors: Trainable, params: Params) -> Frozen:
        del params
        return {
            "lora_a": {path: scale * f["a"] for path, f in factors.items()},
            "lora_b": {path: f["b"] for path, f in factors.items()},
        }

    return Adaptation(init, apply, freeze, lambda factors, params: {})
