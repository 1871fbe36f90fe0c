"""The names of parameters in Hugging Face's PyTorch checkpoints."""

import re
from typing import TypeVar

import jax
import numpy as np

from maskjax.models.config import Family
from maskjax.models.model import ENCODER_PARTS

Array = TypeVar("Array", np.ndarray, jax.Array)

LEAF_NAMES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}
"""The names of leaves in PyTorch."""

DISTILBERT_PARTS = (
    ("encoder.layer.", "transformer.layer."),
    ("attention.self.query.", "attention.q_lin."),
    ("attention.self.key.", "attention.k_lin."),
    ("attention.self.value.", "attention.v_lin."),
    ("attention.output.dense.", "attention.out_lin."),
    ("attention.output.LayerNorm.", "sa_layer_norm."),
    ("intermediate.dense.", "ffn.lin1."),
    ("output.dense.", "ffn.lin2."),
    ("output.LayerNorm.", "output_layer_norm."),
)
"""DistilBERT's names of the parts of a block, in the order of replacement."""

OLD_LEAF_NAMES = {"gamma": "weight", "beta": "bias"}
"""The names of the leaves of LayerNorm in checkpoints converted from TensorFlow."""

IGNORED: dict[Family, tuple[str, ...]] = {
    "bert": (
        r"embeddings\.position_ids",
        r"cls\..+",
        r"pooler\.dense\.(weight|bias)",
        r"(classifier|qa_outputs)\.(weight|bias)",
    ),
    "roberta": (
        r"embeddings\.(position_ids|token_type_ids)",
        r"lm_head\..+",
        r"pooler\.dense\.(weight|bias)",
        r"classifier\.((dense|out_proj)\.)?(weight|bias)",
        r"qa_outputs\.(weight|bias)",
    ),
    "distilbert": (
        r"embeddings\.position_ids",
        r"vocab_(transform|layer_norm|projector)\.(weight|bias)",
        r"((pre_)?classifier|qa_outputs)\.(weight|bias)",
    ),
}
"""Full-match patterns of tensors that a model may not use: buffers, language model heads, heads of
other tasks, and poolers, since RoBERTa's is random and heads for words do not use BERT's."""


def torch_name(path: str, family: Family) -> str:
    """The PyTorch name of a leaf, without the prefix of the family.

    Args:
        path: Path of a parameter.
        family: The family of the checkpoint.

    Returns:
        The key in the state dict of `BertModel`, `RobertaModel` or `DistilBertModel`.

    Example:
        >>> torch_name("encoder/layer/0/attention/self/query/kernel", "distilbert")
        'transformer.layer.0.attention.q_lin.weight'
    """
    *modules, leaf = path.split("/")
    name = ".".join([*modules, LEAF_NAMES[leaf]])
    if family == "distilbert" and modules[0] == "encoder":
        for part, replacement in DISTILBERT_PARTS:
            name = name.replace(part, replacement)
    return name


def state_dict_key(path: str, family: Family) -> str:
    """The key of a leaf in the state dict of a model with a head.

    The encoder's keys have the prefix of the family there.

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
    name = torch_name(path, family)
    in_base = path.split("/", maxsplit=1)[0] in (*ENCODER_PARTS, "pooler")
    return f"{family}.{name}" if in_base else name


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


def normalize_name(name: str, family: Family) -> str:
    """Converts a checkpoint's key to the name that `torch_name` gives.

    Args:
        name: A key, with or without the prefix of the family, possibly with the old leaf names.
        family: The family of the checkpoint.

    Returns:
        The key without prefix, with current leaf names.

    Example:
        >>> normalize_name("bert.embeddings.LayerNorm.gamma", "bert")
        'embeddings.LayerNorm.weight'
    """
    name = name.removeprefix(f"{family}.")
    return re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda match: OLD_LEAF_NAMES[match[0]], name)


def is_ignored(name: str, family: Family) -> bool:
    """Whether a normalized key is one that no base uses."""
    return any(re.fullmatch(pattern, name) for pattern in IGNORED[family])
