"""ALBERT (arXiv 1909.11942): one block, applied again and again, over narrow embeddings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskjax.errors import InputError
from maskjax.models.architecture import COMPUTED, DEFAULTS, KEYS, Architecture
from maskjax.models.config import EncoderConfig
from maskjax.models.heads import PoolerHead, TokenHead
from maskjax.models.json_values import read_positive


def read_groups(config: EncoderConfig, values: Mapping[str, Any]) -> EncoderConfig:
    """Reads whether all blocks are one, as in all published checkpoints, or none is another."""
    groups = read_positive(values, "num_hidden_groups", 1)
    if groups not in (1, config.num_layers):
        raise InputError(
            f"num_hidden_groups {groups} is not supported, only 1 or num_hidden_layers, which is "
            f"{config.num_layers}"
        )
    return replace(config, sharing="shared" if groups == 1 else "none")


ALBERT = Architecture(
    name="albert",
    torch_name="Albert",
    prefix="albert",
    heads={
        "classification": PoolerHead,
        "regression": PoolerHead,
        "tokens": TokenHead,
        "choice": PoolerHead,
    },
    keys=KEYS | {"embedding_size": "embedding_size", "head_dropout": "classifier_dropout_prob"},
    defaults=DEFAULTS
    | {
        "activation": "gelu_new",
        "attention_dropout": 0.0,
        "embedding_size": 128,
        "head_dropout": 0.1,
        "hidden_dropout": 0.0,
    },
    traits={
        "drops_output": False,
        "has_pooler": True,
        "projects_embeddings": True,
        "uses_token_types": True,
    },
    refine=read_groups,
    computed=COMPUTED | {"inner_group_num": 1},
    unshared={"num_hidden_groups": "num_layers"},
    renames=(
        ("embeddings_project.", "encoder.embedding_hidden_mapping_in."),
        ("encoder.layer.", "encoder.albert_layer_groups."),
        (".attention.self.", ".albert_layers.0.attention."),
        (".attention.output.", ".albert_layers.0.attention."),
        (".intermediate.dense.", ".albert_layers.0.ffn."),
        (".output.dense.", ".albert_layers.0.ffn_output."),
        (".output.LayerNorm.", ".albert_layers.0.full_layer_layer_norm."),
        ("pooler.dense.", "pooler."),
    ),
    unused=(
        r"embeddings\.position_ids",
        r"(predictions|sop_classifier)\..+",
        r"pooler\.(weight|bias)",
        r"(classifier|qa_outputs)\.(weight|bias)",
    ),
)
