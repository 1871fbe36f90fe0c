"""Frozen matrices in a smaller dtype."""

from jax.typing import DTypeLike

from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.distinct import once_per_array
from maskjax.models.model import Model, Params, head_paths


def cast_matrices(params: Params, model: Model, dtype: DTypeLike) -> Params:
    """Casts the pretrained matrices, embeddings included, to a dtype.

    Biases, LayerNorm and randomly initialized leaves of the head keep their dtype.

    Args:
        params: The params of `model.apply`.
        model: The model.
        dtype: A floating dtype.

    Returns:
        The params with cast matrices; those that already have the dtype are not copied, and paths
        that share a matrix share its cast.
    """
    head, leaves = set(head_paths(model)), flatten_with_paths(params)
    cast = once_per_array(lambda leaf: leaf.astype(dtype))
    matrices = [path for path, leaf in leaves.items() if leaf.ndim == 2 and path not in head]
    return update_leaves(params, {path: cast(leaves[path]) for path in matrices})
