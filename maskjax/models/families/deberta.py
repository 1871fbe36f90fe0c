"""DeBERTa-v2 and -v3 (arXiv 2006.03654, 2111.09543): BERT with embeddings of distances."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskjax.errors import InputError
from maskjax.models.architecture import ACTIVATIONS, COPIES, DEFAULTS, KEYS, Architecture
from maskjax.models.config import Convolution, EncoderConfig
from maskjax.models.disentangled import DisentangledEncoder
from maskjax.models.distances import Disentangled
from maskjax.models.heads import ContextPoolerHead, TokenHead
from maskjax.models.json_values import read_bool, read_choice, read_integer, read_names

CONTENT_TO_POSITION, POSITION_TO_CONTENT = "c2p", "p2c"


def read_attention(config: EncoderConfig, values: Mapping[str, Any]) -> EncoderConfig:
    """Reads how distances are seen, the convolution and the pooler."""
    _check_sizes(config, values)
    has_positions = read_bool(values, "position_biased_input", True)
    return replace(
        config,
        convolution=_read_convolution(config, values),
        disentangled=_read_distances(config, values),
        pooler_activation=read_choice(values, "pooler_hidden_act", ACTIVATIONS, "gelu"),
        positions="columns" if has_positions else "none",
        uses_token_types=config.type_vocab_size > 0,
    )


def _check_sizes(config: EncoderConfig, values: Mapping[str, Any]) -> None:
    """Refuses widths that contradict those of the hidden states."""
    expected = {"attention_head_size": config.head_size, "pooler_hidden_size": config.hidden_size}
    for key, size in expected.items():
        if values.get(key) not in (None, size):
            raise InputError(f"{key} {values[key]!r} contradicts hidden_size; expected {size}")


def _read_distances(config: EncoderConfig, values: Mapping[str, Any]) -> Disentangled | None:
    terms = read_names(values, "pos_att_type", (CONTENT_TO_POSITION, POSITION_TO_CONTENT))
    has_norm = "layer_norm" in read_names(values, "norm_rel_ebd", ("none", "layer_norm"))
    if not read_bool(values, "relative_attention", False):
        unused = [key for key in ("pos_att_type", "norm_rel_ebd") if values.get(key)]
        if terms or has_norm:
            raise InputError(
                f"{' and '.join(unused)} without relative_attention is not supported; set it, or "
                "leave them out"
            )
        return None
    longest = read_integer(values, "max_relative_positions", -1)
    return Disentangled(
        content_to_position=CONTENT_TO_POSITION in terms,
        position_to_content=POSITION_TO_CONTENT in terms,
        shares_projections=read_bool(values, "share_att_key", False),
        has_norm=has_norm,
        longest=longest if longest > 0 else config.max_positions,
        buckets=max(0, read_integer(values, "position_buckets", -1)),
    )


def _read_convolution(config: EncoderConfig, values: Mapping[str, Any]) -> Convolution | None:
    width = read_integer(values, "conv_kernel_size", 0)
    groups = read_integer(values, "conv_groups", 1)
    if width <= 0:
        return None
    if width % 2 == 0:
        raise InputError(f"conv_kernel_size is {width}; expected an odd number")
    if groups < 1 or config.hidden_size % groups:
        raise InputError(f"conv_groups is {groups}; expected a divisor of {config.hidden_size}")
    activation = read_choice(values, "conv_act", ACTIVATIONS, "tanh")
    return Convolution(width=width, groups=groups, activation=activation)


DEBERTA_V2 = Architecture(
    name="deberta-v2",
    torch_name="DebertaV2",
    prefix="deberta",
    heads={
        "classification": ContextPoolerHead,
        "regression": ContextPoolerHead,
        "tokens": TokenHead,
        "choice": ContextPoolerHead,
    },
    keys=KEYS
    | {
        "embedding_size": "embedding_size",
        "head_dropout": "cls_dropout",
        "pooler_dropout": "pooler_dropout",
    },
    defaults=DEFAULTS | {"type_vocab_size": 0, "layer_norm_eps": 1e-7, "pooler_dropout": 0.0},
    traits={"uses_token_types": False},
    refine=read_attention,
    copies=COPIES | {"token_dropout": "hidden_dropout"},
    renames=(
        ("embeddings_project.", "embeddings.embed_proj."),
        ("attention.self.query.", "attention.self.query_proj."),
        ("attention.self.key.", "attention.self.key_proj."),
        ("attention.self.value.", "attention.self.value_proj."),
        ("attention.self.position_query.", "attention.self.pos_query_proj."),
        ("attention.self.position_key.", "attention.self.pos_key_proj."),
    ),
    pooler_in_base=False,
    unused=(
        # Checkpoints may hold positions that are not added to the input.
        r"embeddings\.(position_ids|position_embeddings\.weight)",
        r"(cls|lm_predictions|mask_predictions)\..+",
        r"pooler\.dense\.(weight|bias)",
        r"(classifier|qa_outputs)\.(weight|bias)",
    ),
    encoder=DisentangledEncoder,
)
