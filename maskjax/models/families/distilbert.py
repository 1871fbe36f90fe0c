"""DistilBERT (arXiv 1910.01108): no token types, and no dropout after the attention output."""

from maskjax.models.architecture import COPIES, DEFAULTS, KEYS, Architecture
from maskjax.models.heads import PreClassifierHead, TokenHead

OTHER_KEYS = {
    "hidden_size": "dim",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "intermediate_size": "hidden_dim",
    "activation": "activation",
    "hidden_dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "head_dropout": "seq_classif_dropout",
}
ABSENT = ("type_vocab_size", "layer_norm_eps")

DISTILBERT = Architecture(
    name="distilbert",
    torch_name="DistilBert",
    prefix="distilbert",
    heads={
        "classification": PreClassifierHead,
        "regression": PreClassifierHead,
        "tokens": TokenHead,
        "choice": PreClassifierHead,
    },
    keys={name: key for name, key in (KEYS | OTHER_KEYS).items() if name not in ABSENT},
    defaults=DEFAULTS | {"head_dropout": 0.2},
    traits={
        "drops_attention_output": False,
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 0,
        "uses_token_types": False,
    },
    copies=COPIES | {"token_dropout": "hidden_dropout"},
    renames=(
        ("encoder.layer.", "transformer.layer."),
        ("attention.self.query.", "attention.q_lin."),
        ("attention.self.key.", "attention.k_lin."),
        ("attention.self.value.", "attention.v_lin."),
        ("attention.output.dense.", "attention.out_lin."),
        ("attention.output.LayerNorm.", "sa_layer_norm."),
        ("intermediate.dense.", "ffn.lin1."),
        ("output.dense.", "ffn.lin2."),
        ("output.LayerNorm.", "output_layer_norm."),
    ),
    unused=(
        r"embeddings\.position_ids",
        r"vocab_(transform|layer_norm|projector)\.(weight|bias)",
        r"((pre_)?classifier|qa_outputs)\.(weight|bias)",
    ),
    lowest_masked=lambda num_layers: 2,
)
