"""EuroBERT (arXiv 2503.05500): a Llama that attends in both directions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskjax.errors import InputError
from maskjax.models.architecture import Architecture
from maskjax.models.config import EncoderConfig, Pooling
from maskjax.models.families.llama_names import LLAMA_NAMES
from maskjax.models.heads import GeluPreClassifierHead, TokenHead
from maskjax.models.json_values import check_rotated, read_choice, read_positive, read_rope
from maskjax.models.prenorm import PreNormEncoder

POOLINGS: dict[str, Pooling] = {"bos": "first", "mean": "mean", "late": "late"}


def read_blocks(config: EncoderConfig, values: Mapping[str, Any]) -> EncoderConfig:
    """Reads the angles, which are those of all blocks, and how a row is pooled."""
    pooling = read_choice(values, "classifier_pooling", POOLINGS, "late")
    if values.get("head_dim") not in (None, config.head_size):
        raise InputError(
            f"head_dim {values['head_dim']!r} is not supported, only hidden_size / "
            f"num_attention_heads, which is {config.head_size}"
        )
    check_rotated(config)
    rope = read_rope(values, values, "rope_parameters")
    theta = read_positive(rope, "rope_theta", float(read_positive(values, "rope_theta", 10_000.0)))
    return replace(config, pooling=pooling, thetas=(theta,) * config.num_layers)


EUROBERT = Architecture(
    name="eurobert",
    torch_name="EuroBert",
    prefix="model",
    heads={
        "classification": GeluPreClassifierHead,
        "regression": GeluPreClassifierHead,
        "tokens": TokenHead,
        "choice": GeluPreClassifierHead,
    },
    keys={
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "num_kv_heads": "num_key_value_heads",
        "intermediate_size": "intermediate_size",
        "activation": "hidden_act",
        "max_positions": "max_position_embeddings",
        "pad_token_id": "pad_token_id",
        "layer_norm_eps": "rms_norm_eps",
        "attention_dropout": "attention_dropout",
        "initializer_range": "initializer_range",
    },
    defaults={
        "activation": "silu",
        "pad_token_id": 128001,
        "layer_norm_eps": 1e-5,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
    },
    traits={
        "biases": False,
        "drops_attention_output": False,
        "hidden_dropout": 0.0,
        "norm": "rms_norm",
        "normalizes_embeddings": False,
        "positions": "rotary",
        "type_vocab_size": 0,
        "uses_token_types": False,
    },
    refine=read_blocks,
    computed={"attention_bias": False, "mlp_bias": False, "is_decoder": False},
    renames=(
        *LLAMA_NAMES,
        ("intermediate.LayerNorm.", "post_attention_layernorm."),
        ("pre_classifier.", "dense."),
    ),
    without_class=("choice",),
    unused=(r"lm_head\.weight", r"(dense|classifier)\.(weight|bias)"),
    encoder=PreNormEncoder,
)
