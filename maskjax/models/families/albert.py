"""ALBERT (arXiv 1909.11942): one block, applied again and again, over narrow embeddings."""

from maskjax.models.architecture import COMPUTED, DEFAULTS, KEYS, Architecture
from maskjax.models.heads import PoolerHead, TokenHead

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
        "sharing": "shared",
        "uses_token_types": True,
    },
    # All published checkpoints have one group of one block.
    computed=COMPUTED | {"num_hidden_groups": 1, "inner_group_num": 1},
    renames=(
        ("embeddings_project.", "encoder.embedding_hidden_mapping_in."),
        ("encoder.layer.", "encoder.albert_layer_groups.0.albert_layers."),
        ("attention.self.", "attention."),
        ("attention.output.", "attention."),
        ("intermediate.dense.", "ffn."),
        ("output.dense.", "ffn_output."),
        ("output.LayerNorm.", "full_layer_layer_norm."),
        ("pooler.dense.", "pooler."),
    ),
    unused=(
        r"embeddings\.position_ids",
        r"(predictions|sop_classifier)\..+",
        r"pooler\.(weight|bias)",
        r"(classifier|qa_outputs)\.(weight|bias)",
    ),
)
