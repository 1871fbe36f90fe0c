"""Frozen matrices in fewer bytes: only what is not trained may be rounded."""

import jax
from jax.typing import DTypeLike

from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models.model import Model, Params, head_paths


def hold_matrices(params: Params, model: Model, dtype: DTypeLike) -> Params:
    """Holds the pretrained matrices, tables of vectors too, in a dtype.

    Biases, LayerNorm and the leaves that a head draws stay as they are: they are few.

    Args:
        params: What `model.apply` takes.
        model: The model.
        dtype: A floating dtype.

    Returns:
        The same params with other matrices; those that are in the dtype already are not copied.
    """
    own = set(head_paths(model))

    def hold(path: str, leaf: jax.Array) -> jax.Array:
        return leaf.astype(dtype) if leaf.ndim == 2 and path not in own else leaf

    leaves = flatten_with_paths(params)
    return update_leaves(params, {path: hold(path, leaf) for path, leaf in leaves.items()})
