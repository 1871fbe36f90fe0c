"""Random weights in place of chosen pretrained ones, as a control.

A mask over random weights shows how much of a result is due to pretraining. Weights are drawn as in
`_init_weights` of transformers' BERT; ModernBERT's own draws are truncated and in some products
narrower.
"""

import re
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.paths import fold_in_path
from maskjax.models.base import Base
from maskjax.models.config import EncoderConfig

PARTS = {
    "embeddings": r"embeddings/\w+_embeddings/embedding|embeddings_project/.*",
    "layer_norm": r".*/LayerNorm/(?:scale|bias)",
    "attention": r"encoder/layer/\d+/attention/self/.*|encoder/rel\w+/embedding",
    "attention_output": r"encoder/layer/\d+/attention/output/dense/.*",
    "intermediate": r"encoder/layer/\d+/intermediate/(?:dense|gate)/.*",
    "output": r"encoder/layer/\d+/output/dense/.*",
    "convolution": r"encoder/conv/conv/.*",
    "pooler": r"pooler/dense/.*",
}
"""Part → pattern of its leaves. Each leaf of an encoder belongs to one part."""


def reinitialize(base: Base, parts: Sequence[str], seed: int = 0) -> Base:
    """Re-initializes parts of a base.

    Kernels and embeddings are normal with standard deviation `initializer_range`, the embedding of
    padding and all biases zero, the scales of LayerNorm one. Each leaf has its own key, which
    follows from its path and the seed.

    Args:
        base: The pretrained encoder.
        parts: Names of `PARTS`; without any the base is unchanged.
        seed: The seed of the random weights.

    Returns:
        The base with these weights, under the same name.

    Raises:
        InputError: If the base has no such part.

    Example:
        >>> from maskjax.models import load_base
        >>> drawn = reinitialize(load_base(base), ["pooler"])
        >>> float(jnp.abs(drawn.params["pooler"]["dense"]["bias"]).sum())
        0.0
    """
    leaves = flatten_with_paths(base.params)
    random_leaves = {}
    for part in parts:
        paths = [path for path in leaves if re.fullmatch(PARTS.get(part, ""), path)]
        if not paths:
            raise InputError(
                f"model.reinit: expected parts of {base.name} among {', '.join(PARTS)}, got {part}."
            )
        random_leaves |= {
            path: _draw(path, leaves[path].shape, base.config, seed) for path in paths
        }
    return base._replace(params=update_leaves(base.params, random_leaves))


def _draw(path: str, shape: tuple[int, ...], config: EncoderConfig, seed: int) -> jax.Array:
    if path.endswith("/scale"):
        one = 0.0 if config.norm == "rms_norm_plus_one" else 1.0
        return jnp.full(shape, one, jnp.float32)
    if path.endswith("/bias"):
        return jnp.zeros(shape, jnp.float32)
    # NumPy draws the same bits on every device, which the digest of the base needs.
    words = jax.random.bits(fold_in_path(jax.random.key(seed), path), (2,), jnp.uint32)
    random = np.random.default_rng(np.asarray(words))
    leaf = random.standard_normal(shape, np.float32) * np.float32(config.initializer_range)
    if _has_padding(path, config):
        leaf[config.pad_token_id] = 0
    return jnp.asarray(leaf)


def _has_padding(path: str, config: EncoderConfig) -> bool:
    """Whether a row stands for padding: among the words, and among positions that count tokens."""
    tables = ["word_embeddings"] + ["position_embeddings"] * (config.positions == "tokens")
    return any(path == f"embeddings/{table}/embedding" for table in tables)
