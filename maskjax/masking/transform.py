"""The mask transform: pure functions that learn which frozen weights to keep.

References:
    Zhao et al., Masking as an Efficient Alternative to Finetuning, EMNLP 2020, section 3,
    https://arxiv.org/abs/2004.12406.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from maskjax.masking.checks import (
    check_all_finite,
    check_floating,
    check_key,
    check_scores,
    check_shape,
)
from maskjax.masking.granularity import PER_WEIGHT, Granularity
from maskjax.masking.initializers import Initializer, Initializers
from maskjax.masking.leaves import as_weight, check_untied, select_weights
from maskjax.masking.paths import flatten_with_paths, fold_in_path, update_leaves
from maskjax.masking.placement import place_like
from maskjax.masking.proportional import is_below_multiple, protection
from maskjax.masking.selection import Where, choose, escape_paths, make_rules, matching_paths

Params = Any
Scores = dict[str, jax.Array]
"""`{path: scores}` of the masked leaves only, float32, which are trained."""
Masks = dict[str, jax.Array]
"""`{path: mask}`; 1 keeps a weight, 0 drops it."""
Binarize = Callable[[Scores, jax.Array | None], Masks]
Protected = dict[str, jax.Array]
"""`{path: bool}` in the shapes of the scores: True where a weight is always kept."""

KERNELS = r".*/kernel"
MASKED_WEIGHT = "masked_weight"
"""The `jax.ad_checkpoint` name of W ⊙ M: cheap to recompute, expensive to keep."""


class _WithKey(Protocol):
    def __call__(
        self, scores: Scores, params: Params, /, *, key: jax.Array | None = None
    ) -> Any: ...


class MaskTransform(NamedTuple):
    """Pure functions over any pytree of params; scores are a pytree of their own.

    Attributes:
        init: `(key, params) -> scores`, with scores for the selected leaves only, on the devices
            of the leaves and with their sharding.
        apply: `(scores, params, *, key=None) -> params` with the selected leaves W replaced by
            W ⊙ M(S), in W's dtype. Differentiable in `scores`, straight-through. `key` is for
            binarizers that sample; without it they are deterministic.
        masks: `(scores, params) -> {path: bool array}` in the shapes of the weights,
            deterministic: the result of training.
        float_masks: `(scores, params, *, key=None) -> {path: float array}` in the shapes of the
            weights: the exact zeros and ones of `apply`, with their straight-through gradients.
    """

    init: Callable[[jax.Array, Params], Scores]
    apply: _WithKey
    masks: Callable[[Scores, Params], Masks]
    float_masks: _WithKey


def mask_transform(
    binarize: Binarize,
    initializer: Initializers,
    *,
    where: Where = KERNELS,
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """Builds a transform from its parts; all factories use it.

    Args:
        binarize: `(scores, key) -> masks`, straight-through.
        initializer: Initializes the scores of a leaf; or one initializer per pattern of paths.
            Weights that `proportional` protects are kept whatever their scores are: their mask is
            one and their scores get no gradient, with any optimizer.
        where: Selects the masked leaves by path: a pattern or an exact path, a `Rule`, several of
            these, or a function of a path.
        granularity: How many weights share one score.

    Returns:
        A transform. Its functions raise ValueError if the rules do not fit the params, if a
        selected leaf is not floating or, under a rule without `untie`, is the same array as another
        leaf, if scores are missing or do not fit, and for NaN in known values: inside `jax.jit` a
        score that is NaN makes the weight NaN.

    Example:
        >>> from maskjax.masking import constant, hard_threshold
        >>> def binarize(scores, key):
        ...     return {path: hard_threshold(leaf, 0.5) for path, leaf in scores.items()}
        >>> transform = mask_transform(binarize, constant(1.0), where="dense/kernel")
        >>> params = {"dense": {"kernel": jnp.array([2.0, 3.0]), "bias": jnp.array([4.0])}}
        >>> scores = transform.init(jax.random.key(0), params)
        >>> scores
        {'dense/kernel': Array([1., 1.], dtype=float32)}
        >>> moved = {"dense/kernel": scores["dense/kernel"].at[0].set(0.0)}
        >>> transform.apply(moved, params)["dense"]["kernel"].tolist()
        [0.0, 3.0]
    """
    rules = make_rules(where)

    def init(key: jax.Array, params: Params) -> Scores:
        check_key(key)
        weights = select_weights(params, rules)
        initializers = _initializers(initializer, weights)
        return {
            path: _init_scores(
                initializers[path], fold_in_path(key, path), path, granularity.reduce(path, w)
            )
            for path, w in weights.items()
        }

    def expanded(
        scores: Scores, weights: Mapping[str, Any], key: jax.Array | None
    ) -> dict[str, jax.Array]:
        protected = _protected(initializer, weights, granularity)
        masks = _binarize_around(binarize, scores, key, protected)
        return {
            path: place_like(granularity.expand(path, mask, weights[path].shape), weights[path])
            for path, mask in masks.items()
        }

    def apply(scores: Scores, params: Params, *, key: jax.Array | None = None) -> Params:
        weights = _weights_of(scores, params, rules)
        masks = expanded(scores, weights, key)
        masked = {path: w * masks[path].astype(w.dtype) for path, w in weights.items()}
        named = {path: checkpoint_name(leaf, MASKED_WEIGHT) for path, leaf in masked.items()}
        return update_leaves(params, named)

    def float_masks(scores: Scores, params: Params, *, key: jax.Array | None = None) -> Masks:
        return expanded(scores, _weights_of(scores, params, rules), key)

    def masks(scores: Scores, params: Params) -> Masks:
        return {path: mask.astype(bool) for path, mask in float_masks(scores, params).items()}

    return MaskTransform(init, apply, masks, float_masks)


def _initializers(initializer: Initializers, paths: Mapping[str, Any]) -> dict[str, Initializer]:
    """The initializer of each leaf."""
    if not isinstance(initializer, Mapping):
        return dict.fromkeys(paths, initializer)
    exact_patterns = escape_paths(initializer, paths)
    return {path: choose(path, exact_patterns) for path in paths}


def _init_scores(
    initializer: Initializer, key: jax.Array, path: str, magnitude: jax.Array
) -> jax.Array:
    scores = initializer(key, magnitude)
    check_floating(f"initial scores of {path}", scores)
    check_all_finite(f"initial scores of {path}", scores)
    return place_like(scores, magnitude)


def _weights_of(scores: Scores, params: Params, rules: Any) -> dict[str, Any]:
    """The weights of scores; checks that scores are complete."""
    check_scores(scores)
    leaves = flatten_with_paths(params)
    if unknown := sorted(set(scores) - set(leaves)):
        raise ValueError(
            f"Expected scores of leaves of the params, got {unknown}; "
            f"the params have {list(leaves)[:5]}..."
        )
    if missing := [path for path in matching_paths(list(leaves), rules) if path not in scores]:
        raise ValueError(
            f"Expected scores of all selected leaves, {len(missing)} are missing, such as "
            f"{', '.join(missing[:3])}; take the scores of init(key, params)."
        )
    check_untied(leaves, scores, rules)
    return {path: as_weight(path, leaves[path]) for path in scores}


def _protected(
    initializer: Initializers, weights: Mapping[str, Any], granularity: Granularity
) -> Protected:
    """Marks the weights that are always kept, in the leaves whose initializer protects any."""
    initializers = _initializers(initializer, weights).items()
    multiples = {
        path: protection(leaf_initializer)
        for path, leaf_initializer in initializers
        if protection(leaf_initializer)
    }
    return {
        path: is_below_multiple(
            multiple, jax.lax.stop_gradient(granularity.reduce(path, weights[path]))
        )
        for path, multiple in multiples.items()
    }


def _binarize_around(
    binarize: Binarize, scores: Scores, key: jax.Array | None, protected: Protected
) -> Masks:
    """Binarizes with infinite scores for protected weights, whose mask is one."""
    for path, is_protected in protected.items():
        check_shape(f"scores of {path}", scores[path], is_protected.shape)
    ranked = {
        p: jnp.where(is_protected, jnp.inf, scores[p]) for p, is_protected in protected.items()
    }
    masks = binarize({**scores, **ranked}, key)
    # A ranking binarizer may keep fewer weights than are protected.
    ones = {p: jnp.where(is_protected, 1, masks[p]) for p, is_protected in protected.items()}
    return {**masks, **ones}
