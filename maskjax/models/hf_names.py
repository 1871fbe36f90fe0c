"""Parameter paths to the names of Hugging Face's PyTorch checkpoints, and back to one spelling."""

import re
from typing import TypeVar

import jax
import numpy as np

from maskjax.models.config import Family
from maskjax.models.model import ENCODER_PARTS

Array = TypeVar("Array", np.ndarray, jax.Array)

LEAVES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}
"""What PyTorch calls a leaf."""

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
"""What DistilBERT calls the parts of a block, in the order of replacement."""

OLD_LEAVES = {"gamma": "weight", "beta": "bias"}
"""What checkpoints converted from TensorFlow call the leaves of LayerNorm."""

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
"""Full-match patterns of the tensors that a model may have no use for: buffers, language model
heads, heads of other tasks, and poolers: RoBERTa's is random, and tags do without BERT's."""


def torch_name(path: str, family: Family) -> str:
    """Names a leaf as PyTorch does, without the prefix of the family.

    Args:
        path: Path of a parameter.
        family: Whose checkpoint it is.

    Returns:
        Its key in the state dict of `BertModel`, `RobertaModel` or `DistilBertModel`.

    Example:
        >>> torch_name("encoder/layer/0/attention/self/query/kernel", "distilbert")
        'transformer.layer.0.attention.q_lin.weight'
    """
    *modules, leaf = path.split("/")
    name = ".".join([*modules, LEAVES[leaf]])
    if family == "distilbert" and modules[0] == "encoder":
        for part, replacement in DISTILBERT_PARTS:
            name = name.replace(part, replacement)
    return name


def checkpoint_name(path: str, family: Family) -> str:
    """Names a leaf as PyTorch's models with a head do, whose encoder has the prefix of the family.

    Args:
        path: Path of a parameter.
        family: Whose checkpoint it is.

    Returns:
        Its key in the state dict of `BertForSequenceClassification` and its like.

    Example:
        >>> checkpoint_name("pooler/dense/bias", "roberta")
        'roberta.pooler.dense.bias'
        >>> checkpoint_name("classifier/out_proj/kernel", "roberta")
        'classifier.out_proj.weight'
    """
    name = torch_name(path, family)
    in_base = path.split("/", maxsplit=1)[0] in (*ENCODER_PARTS, "pooler")
    return f"{family}.{name}" if in_base else name


def is_kernel(path: str) -> bool:
    """Says whether a leaf is a matrix `[in, out]`, which PyTorch keeps as `[out, in]`."""
    return path.endswith("/kernel")


def swap_layout(path: str, array: Array) -> Array:
    """Turns a leaf from the layout of params into PyTorch's, or back.

    Args:
        path: Path of a parameter.
        array: It, or its mask.

    Returns:
        A kernel's transpose, any other leaf as it is.

    Example:
        >>> swap_layout("pooler/dense/kernel", np.zeros((2, 3))).shape
        (3, 2)
    """
    return array.T if is_kernel(path) else array


def normalize_name(name: str, family: Family) -> str:
    """Spells a checkpoint's key as `torch_name` does.

    Args:
        name: A key, with or without the prefix of the family, possibly with the old leaf names.
        family: Whose checkpoint it is.

    Returns:
        The key without prefix, with today's leaf names.

    Example:
        >>> normalize_name("bert.embeddings.LayerNorm.gamma", "bert")
        'embeddings.LayerNorm.weight'
    """
    name = name.removeprefix(f"{family}.")
    return re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda old: OLD_LEAVES[old[0]], name)


def is_ignored(name: str, family: Family) -> bool:
    """Says whether a normalized key is known to be of no use to a base."""
    return any(re.fullmatch(pattern, name) for pattern in IGNORED[family])
