"""The names of parameters in Hugging Face's PyTorch checkpoints."""

import re
from typing import TypeVar

import jax
import numpy as np

from maskjax.models.model import ENCODER_PARTS
from maskjax.models.registry import ARCHITECTURES

Array = TypeVar("Array", np.ndarray, jax.Array)

LEAF_NAMES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}
"""The names of leaves in PyTorch."""

OLD_LEAF_NAMES = {"gamma": "weight", "beta": "bias"}
"""What checkpoints converted from TensorFlow call the leaves of LayerNorm."""


def torch_name(path: str, family: str) -> str:
    """Names a leaf as PyTorch does, without the prefix of the family.

    Args:
        path: Path of a parameter.
        family: The family of the checkpoint.

    Returns:
        Its key in the state dict of `BertModel` and its like, which the leaves of `fused_paths`
        share.

    Example:
        >>> torch_name("encoder/layer/0/attention/self/query/kernel", "distilbert")
        'transformer.layer.0.attention.q_lin.weight'
    """
    *modules, leaf = path.split("/")
    name = ".".join([*modules, LEAF_NAMES[leaf]])
    return ARCHITECTURES[family].rename(name)


def fused_paths(path: str, family: str) -> tuple[str, ...]:
    """The paths whose leaves PyTorch stores in one tensor, in the order of its rows.

    Args:
        path: Path of a parameter.
        family: The family of the checkpoint.

    Returns:
        The path itself, or the paths of all leaves of the matrix that it is a part of; each has an
        equal share of the rows.

    Example:
        >>> fused_paths("encoder/layer/0/intermediate/gate/kernel", "modernbert")
        ('encoder/layer/0/intermediate/dense/kernel', 'encoder/layer/0/intermediate/gate/kernel')
        >>> fused_paths("encoder/layer/0/output/dense/kernel", "modernbert")
        ('encoder/layer/0/output/dense/kernel',)
    """
    module, _, leaf = path.rpartition("/")
    for parts in ARCHITECTURES[family].fused:
        for part in parts:
            if module.endswith(f"/{part}"):
                block = module.removesuffix(part)
                return tuple(f"{block}{other}/{leaf}" for other in parts)
    return (path,)


def state_dict_key(path: str, family: str) -> str:
    """Names a leaf as PyTorch's models with a head do, whose encoder has the prefix of the family.

    Args:
        path: Path of a parameter.
        family: The family of the checkpoint.

    Returns:
        The key in the state dict of `BertForSequenceClassification` and similar classes.

    Example:
        >>> state_dict_key("pooler/dense/bias", "roberta")
        'roberta.pooler.dense.bias'
        >>> state_dict_key("classifier/out_proj/kernel", "roberta")
        'classifier.out_proj.weight'
    """
    architecture, part = ARCHITECTURES[family], path.split("/", maxsplit=1)[0]
    in_base = part in ENCODER_PARTS or (part == "pooler" and architecture.pooler_in_base)
    name = torch_name(path, family)
    return f"{architecture.prefix}.{name}" if in_base else name


def is_kernel(path: str) -> bool:
    """Whether a leaf is a matrix `[in, out]`, which is `[out, in]` in PyTorch."""
    return path.endswith("/kernel")


def swap_layout(path: str, array: Array) -> Array:
    """Converts a leaf from the layout of params to PyTorch's, or back.

    Args:
        path: Path of a parameter.
        array: The leaf, or its mask.

    Returns:
        The transpose of a kernel; any other leaf unchanged.

    Example:
        >>> swap_layout("pooler/dense/kernel", np.zeros((2, 3))).shape
        (3, 2)
    """
    return array.T if is_kernel(path) else array


def normalize_name(name: str, family: str) -> str:
    """Spells a checkpoint's key as `torch_name` does.

    Args:
        name: A key, with or without the prefix of the family, possibly with the old leaf names.
        family: The family of the checkpoint.

    Returns:
        The key without prefix, with current leaf names.

    Example:
        >>> normalize_name("bert.embeddings.LayerNorm.gamma", "bert")
        'embeddings.LayerNorm.weight'
    """
    name = name.removeprefix(f"{ARCHITECTURES[family].prefix}.")
    return re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda old: OLD_LEAF_NAMES[old[0]], name)


def is_ignored(name: str, family: str) -> bool:
    """Says whether a normalized key is known to be of no use to a base."""
    return any(re.fullmatch(pattern, name) for pattern in ARCHITECTURES[family].unused)
