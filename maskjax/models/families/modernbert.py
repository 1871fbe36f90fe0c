"""ModernBERT (arXiv 2412.13663), and by configuration mmBERT, Ettin and Granite-R2."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskjax.models.architecture import Architecture
from maskjax.models.config import EncoderConfig
from maskjax.models.heads import NormedPoolerHead
from maskjax.models.json_values import (
    GLOBAL,
    LOCAL,
    check_rotated,
    read_block_types,
    read_choice,
    read_positive,
    read_theta,
)
from maskjax.models.prenorm import PreNormEncoder

THETAS = {GLOBAL: 160_000.0, LOCAL: 10_000.0}
POOLINGS = {"cls": "first", "mean": "mean"}


def read_blocks(config: EncoderConfig, values: Mapping[str, Any]) -> EncoderConfig:
    """Reads which blocks attend to a window, and the angles of both kinds of blocks."""
    pooling = read_choice(values, "classifier_pooling", POOLINGS, "cls")
    check_rotated(config)
    every = read_positive(values, "global_attn_every_n_layers", 3)
    types = read_block_types(
        values, [LOCAL if block % every else GLOBAL for block in range(config.num_layers)]
    )
    thetas = {kind: _theta(kind, values) for kind in THETAS}
    window = read_positive(values, "local_attention", 128) // 2
    return replace(
        config,
        head_std=config.hidden_size**-0.5,
        pooling=pooling,
        thetas=tuple(thetas[kind] for kind in types),
        windows=tuple(window if kind == LOCAL else 0 for kind in types),
    )


def _theta(kind: str, values: Mapping[str, Any]) -> float:
    """The base of the angles: of newer files, else of older ones, else the published one."""
    every = read_positive(values, "global_rope_theta", THETAS[GLOBAL])
    is_absent = "local_rope_theta" not in values  # null means that of all other blocks
    local = THETAS[LOCAL] if is_absent else read_positive(values, "local_rope_theta", every)
    return read_theta(values, kind, local if kind == LOCAL else every)


MODERNBERT = Architecture(
    name="modernbert",
    torch_name="ModernBert",
    prefix="model",
    heads={
        "classification": NormedPoolerHead,
        "regression": NormedPoolerHead,
        "tokens": NormedPoolerHead,
        "choice": NormedPoolerHead,
    },
    keys={
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "intermediate_size": "intermediate_size",
        "activation": "hidden_activation",
        "max_positions": "max_position_embeddings",
        "pad_token_id": "pad_token_id",
        "layer_norm_eps": "norm_eps",
        "embedding_dropout": "embedding_dropout",
        "hidden_dropout": "mlp_dropout",
        "attention_dropout": "attention_dropout",
        "head_dropout": "classifier_dropout",
        "initializer_range": "initializer_range",
    },
    defaults={
        "activation": "gelu",
        "pad_token_id": 50283,
        "layer_norm_eps": 1e-5,
        "embedding_dropout": 0.0,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "head_dropout": 0.0,
        "initializer_range": 0.02,
    },
    traits={
        "biases": False,
        "has_pooler": True,
        "positions": "rotary",
        "type_vocab_size": 0,
        "uses_token_types": False,
    },
    refine=read_blocks,
    computed={
        "attention_bias": False,
        "classifier_activation": "gelu",
        "classifier_bias": False,
        "mlp_bias": False,
        "norm_bias": False,
    },
    renames=(
        ("embeddings.word_embeddings.", "embeddings.tok_embeddings."),
        ("embeddings.LayerNorm.", "embeddings.norm."),
        ("encoder.LayerNorm.", "final_norm."),
        ("encoder.layer.", "layers."),
        ("attention.LayerNorm.", "attn_norm."),
        ("attention.self.query.", "attn.Wqkv."),
        ("attention.self.key.", "attn.Wqkv."),
        ("attention.self.value.", "attn.Wqkv."),
        ("attention.output.dense.", "attn.Wo."),
        ("intermediate.LayerNorm.", "mlp_norm."),
        ("intermediate.dense.", "mlp.Wi."),
        ("intermediate.gate.", "mlp.Wi."),
        ("output.dense.", "mlp.Wo."),
        ("pooler.dense.", "head.dense."),
        ("pooler.LayerNorm.", "head.norm."),
    ),
    fused=(
        ("attention/self/query", "attention/self/key", "attention/self/value"),
        ("intermediate/dense", "intermediate/gate"),
    ),
    pooler_in_base=False,
    unused=(r"decoder\.(weight|bias)", r"head\.(dense|norm)\.weight", r"classifier\.(weight|bias)"),
    encoder=PreNormEncoder,
)
