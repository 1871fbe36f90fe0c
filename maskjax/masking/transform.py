"""The mask transform: a pair of pure functions that learn which frozen weights to keep.

References:
    Zhao et al., Masking as an Efficient Alternative to Finetuning, EMNLP 2020, section 3,
    https://arxiv.org/abs/2004.12406.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import jax
from jax.ad_checkpoint import checkpoint_name
from jax.flatten_util import ravel_pytree

from maskjax.masking import binarizers, initializers
from maskjax.masking.binarizers import THRESHOLD
from maskjax.masking.granularity import PER_WEIGHT, Granularity
from maskjax.masking.initializers import SPREAD, Initializers
from maskjax.masking.paths import key_for_path, leaves_by_path, replace_leaves
from maskjax.masking.selection import Rule, choose, select_paths

Params = Any
Scores = dict[str, jax.Array]
"""`{path: scores}` of the masked leaves only, float32: the one thing that is trained."""
Masks = dict[str, jax.Array]
"""`{path: mask}`; 1 keeps a weight, 0 drops it."""
Binarize = Callable[[Scores, jax.Array | None], Masks]

MASKED_WEIGHT = "masked_weight"
"""The `jax.ad_checkpoint` name of W ⊙ M: cheap to recompute, expensive to keep."""


class _Apply(Protocol):
    def __call__(
        self, scores: Scores, params: Params, /, *, key: jax.Array | None = None
    ) -> Params: ...


class MaskTransform(NamedTuple):
    """Pure functions over any pytree of params; scores are a pytree of their own.

    Attributes:
        init: `(key, params) -> scores`, with scores for the selected leaves only.
        apply: `(scores, params, *, key=None) -> params` with the selected leaves W replaced by
            W ⊙ M(S), in W's dtype. Differentiable in `scores`, straight-through. `key` is for
            binarisers that sample; without it they are deterministic.
        masks: `(scores, params) -> {path: bool array}` in the shapes of the weights,
            deterministic: what is left to keep once training is over.
    """

    init: Callable[[jax.Array, Params], Scores]
    apply: _Apply
    masks: Callable[[Scores, Params], Masks]


def mask_transform(
    binarize: Binarize,
    initializer: Initializers,
    *,
    where: Sequence[Rule | str] = (r".*/kernel",),
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """Builds a transform from its parts; the factories below are made of it.

    Args:
        binarize: `(scores, key) -> masks`, straight-through.
        initializer: Gives the scores of one leaf; or one for each pattern of paths.
        where: Rules that select the masked leaves by path.
        granularity: How many weights share one score.

    Returns:
        A transform. Its `init` raises ValueError where the rules do not fit the params, its
        `apply` where the scores do not.
    """
    starts = initializer if isinstance(initializer, Mapping) else {".*": initializer}

    def init(key: jax.Array, params: Params) -> Scores:
        leaves = leaves_by_path(params)
        return {
            path: choose(path, starts)(
                key_for_path(key, path), granularity.reduce(path, leaves[path])
            )
            for path in select_paths(list(leaves), where)
        }

    def expanded(scores: Scores, leaves: dict[str, Any], key: jax.Array | None) -> Masks:
        _check_paths(scores, leaves)
        masks = binarize(scores, key)
        return {
            path: granularity.expand(path, mask, leaves[path].shape) for path, mask in masks.items()
        }

    def apply(scores: Scores, params: Params, *, key: jax.Array | None = None) -> Params:
        leaves = leaves_by_path(params)
        return replace_leaves(
            params,
            {
                path: checkpoint_name(leaves[path] * mask.astype(leaves[path].dtype), MASKED_WEIGHT)
                for path, mask in expanded(scores, leaves, key).items()
            },
        )

    def masks(scores: Scores, params: Params) -> Masks:
        full = expanded(scores, leaves_by_path(params), None)
        return {path: mask.astype(bool) for path, mask in full.items()}

    return MaskTransform(init, apply, masks)


def threshold_mask(
    sparsity: float = 0.05,
    *,
    threshold: float = THRESHOLD,
    initializer: Initializers | None = None,
    where: Sequence[Rule | str] = (r".*/kernel",),
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """The paper's masking: M = 1[S > τ], identity straight-through, uniform start.

    Args:
        sparsity: Fraction of zeros at the start, in (0, 1].
        threshold: τ.
        initializer: Another start than the paper's; `sparsity` is then not used.
        where: Rules that select the masked leaves by path.
        granularity: How many weights share one score.

    Returns:
        The transform.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"dense": {"kernel": jnp.ones((64, 64)), "bias": jnp.zeros(64)}}
        >>> transform = threshold_mask(sparsity=0.25)
        >>> scores = transform.init(jax.random.key(0), params)
        >>> list(scores), scores["dense/kernel"].dtype
        (['dense/kernel'], dtype('float32'))
        >>> masked = transform.apply(scores, params)
        >>> f"{float((masked['dense']['kernel'] == 0).mean()):.2f}"
        '0.25'
    """
    start = initializer or initializers.uniform(sparsity, threshold=threshold)
    binarize = _leafwise(lambda s: binarizers.hard_threshold(s, threshold))
    return mask_transform(binarize, start, where=where, granularity=granularity)


def sign_mask(
    sparsity: float = 0.05,
    *,
    initializer: Initializers | None = None,
    where: Sequence[Rule | str] = (r".*/kernel",),
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """M = 1[S > 0] with gradient zero where |S| ≥ 1 (second scheme of the reference code).

    Args:
        sparsity: Fraction of zeros at the start, in (0, 1].
        initializer: Another start than the uniform one; `sparsity` is then not used.
        where: Rules that select the masked leaves by path.
        granularity: How many weights share one score.

    Returns:
        The transform.
    """
    spread = min(SPREAD, sparsity)  # so that no score starts at 1 or above, where none moves
    start = initializer or initializers.uniform(sparsity, threshold=0.0, spread=spread)
    binarize = _leafwise(binarizers.clipped_sign)
    return mask_transform(binarize, start, where=where, granularity=granularity)


def bernoulli_mask(
    sparsity: float = 0.05,
    *,
    initializer: Initializers | None = None,
    where: Sequence[Rule | str] = (r".*/kernel",),
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """M ~ Bernoulli(σ(S)) in training (pass `key`), 1[σ(S) > ½] otherwise (third scheme).

    Args:
        sparsity: Probability of a zero at the start, in (0, 1).
        initializer: Another start than the constant logit; `sparsity` is then not used.
        where: Rules that select the masked leaves by path.
        granularity: How many weights share one score.

    Returns:
        The transform. Each leaf is sampled with its own key.

    Raises:
        ValueError: If `sparsity` is not in (0, 1).
    """
    if not 0 < sparsity < 1:
        raise ValueError(f"Expected a sparsity in (0, 1), got {sparsity} instead.")
    start = initializer or initializers.constant(math.log((1 - sparsity) / sparsity))

    def binarize(scores: Scores, key: jax.Array | None) -> Masks:
        keys = {path: None if key is None else key_for_path(key, path) for path in scores}
        return {path: binarizers.bernoulli(s, keys[path]) for path, s in scores.items()}

    return mask_transform(binarize, start, where=where, granularity=granularity)


def top_k_mask(
    sparsity: float = 0.05,
    *,
    scope: Literal["matrix", "global"] = "matrix",
    initializer: Initializers | None = None,
    where: Sequence[Rule | str] = (r".*/kernel",),
    granularity: Granularity = PER_WEIGHT,
) -> MaskTransform:
    """Drops an exact fraction of the scores, the smallest, of each matrix or of all together.

    Args:
        sparsity: Fraction of zeros, in [0, 1], held throughout training.
        scope: Whether each leaf drops that fraction or all leaves together do.
        initializer: Another start than the paper's uniform one.
        where: Rules that select the masked leaves by path.
        granularity: How many weights share one score.

    Returns:
        The transform.

    Raises:
        ValueError: If `sparsity` is not in [0, 1].
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"Expected a sparsity in [0, 1], got {sparsity} instead.")
    start = initializer or initializers.uniform(0.05)

    def each(scores: jax.Array) -> jax.Array:
        return binarizers.top_k(scores, round((1 - sparsity) * scores.size))

    def together(scores: Scores, key: jax.Array | None) -> Masks:
        del key
        flat, unravel = ravel_pytree(scores)
        return unravel(each(flat))

    binarize = _leafwise(each) if scope == "matrix" else together
    return mask_transform(binarize, start, where=where, granularity=granularity)


def _leafwise(binarizer: Callable[[jax.Array], jax.Array]) -> Binarize:
    def binarize(scores: Scores, key: jax.Array | None) -> Masks:
        del key
        return {path: binarizer(s) for path, s in scores.items()}

    return binarize


def _check_paths(scores: Scores, leaves: dict[str, Any]) -> None:
    unknown = sorted(set(scores) - set(leaves))
    if unknown:
        raise ValueError(
            f"Expected scores of leaves of the params, got {unknown}; "
            f"the params have {list(leaves)[:5]}..."
        )
