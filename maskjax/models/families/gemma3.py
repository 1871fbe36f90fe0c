"""The text encoder of EmbeddingGemma (arXiv 2509.20354): a Gemma 3 that attends both ways."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskjax.errors import InputError
from maskjax.models.architecture import Architecture
from maskjax.models.config import EncoderConfig
from maskjax.models.families.llama_names import LLAMA_NAMES
from maskjax.models.heads import ScoreHead, TokenHead
from maskjax.models.json_values import (
    GLOBAL,
    LOCAL,
    check_rotated,
    read_block_types,
    read_positive,
    read_theta,
)
from maskjax.models.prenorm import PreNormEncoder

THETAS = {
    GLOBAL: ("rope_theta", 1_000_000.0),
    LOCAL: ("rope_local_base_freq", 10_000.0),
}
"""Type of a block → the older key of the base of its angles, and its default."""


def read_blocks(config: EncoderConfig, values: Mapping[str, Any]) -> EncoderConfig:
    """Reads which blocks attend to a window, and the angles of both types of blocks."""
    if values.get("use_bidirectional_attention") is not True:
        raise InputError(
            "use_bidirectional_attention is not true; a decoder, which attends to earlier tokens "
            "only, is not supported"
        )
    check_rotated(config)
    scale = values.get("query_pre_attn_scalar", 256)
    if scale != config.head_size:
        raise InputError(
            f"query_pre_attn_scalar {scale!r} is not supported, only head_dim, which is "
            f"{config.head_size}"
        )
    every = read_positive(
        values, "sliding_window_pattern", read_positive(values, "_sliding_window_pattern", 6)
    )
    types = read_block_types(
        values,
        [GLOBAL if (block + 1) % every == 0 else LOCAL for block in range(config.num_layers)],
    )
    thetas = {kind: _theta(kind, values) for kind in THETAS}
    window = read_positive(values, "sliding_window", 4096) // 2
    return replace(
        config,
        thetas=tuple(thetas[kind] for kind in types),
        windows=tuple(window if kind == LOCAL else 0 for kind in types),
    )


def _theta(kind: str, values: Mapping[str, Any]) -> float:
    """The base of the angles: of newer files, else of older ones, else the published one."""
    old_key, default = THETAS[kind]
    return read_theta(values, kind, read_positive(values, old_key, default))


GEMMA3 = Architecture(
    name="gemma3_text",
    torch_name="Gemma3Text",
    prefix="model",
    heads={
        "classification": ScoreHead,
        "regression": ScoreHead,
        "tokens": TokenHead,
        "choice": TokenHead,
    },
    keys={
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "num_kv_heads": "num_key_value_heads",
        "head_dim": "head_dim",
        "intermediate_size": "intermediate_size",
        "activation": "hidden_activation",
        "max_positions": "max_position_embeddings",
        "pad_token_id": "pad_token_id",
        "layer_norm_eps": "rms_norm_eps",
        "attention_dropout": "attention_dropout",
        "initializer_range": "initializer_range",
    },
    defaults={
        "num_kv_heads": 4,
        "head_dim": 256,
        "activation": "gelu_pytorch_tanh",
        "pad_token_id": 0,
        "layer_norm_eps": 1e-6,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
    },
    traits={
        "biases": False,
        "drops_attention_output": False,
        "hidden_dropout": 0.0,
        "norm": "rms_norm_plus_one",
        "normalizes_embeddings": False,
        "normalizes_queries": True,
        "normalizes_outputs": True,
        "pooling": "last",
        "positions": "rotary",
        "scales_embeddings": True,
        "type_vocab_size": 0,
        "uses_token_types": False,
    },
    refine=read_blocks,
    computed={
        "attention_bias": False,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
    },
    renames=(
        *LLAMA_NAMES,
        ("attention.self.query_norm.", "self_attn.q_norm."),
        ("attention.self.key_norm.", "self_attn.k_norm."),
        ("attention.output.LayerNorm.", "post_attention_layernorm."),
        ("intermediate.LayerNorm.", "pre_feedforward_layernorm."),
        ("output.LayerNorm.", "post_feedforward_layernorm."),
        ("classifier.", "score."),
    ),
    own_tensor="encoder.layer.0.attention.self.query_norm.weight",
    without_class=("tokens", "choice"),
    unused=(r"(lm_head|score)\.weight",),
    encoder=PreNormEncoder,
)
