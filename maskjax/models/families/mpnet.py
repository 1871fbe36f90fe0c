"""MPNet (arXiv 2004.09297): no token types, and a learned bias per distance between tokens."""

from maskjax.models.architecture import COMPUTED, KEYS, Architecture, after_padding
from maskjax.models.heads import PoolerHead, TanhHead, TokenHead

PAD_TOKEN_ID = 1
"""MPNet's positions begin after it, whatever `config.json` says."""
ABSENT = ("type_vocab_size", "pad_token_id", "head_dropout")

MPNET = Architecture(
    name="mpnet",
    torch_name="MPNet",
    prefix="mpnet",
    heads={
        "classification": TanhHead,
        "regression": TanhHead,
        "tokens": TokenHead,
        "choice": PoolerHead,
    },
    keys={name: key for name, key in KEYS.items() if name not in ABSENT},
    traits={
        "pad_token_id": PAD_TOKEN_ID,
        "positions": "tokens",
        "relative_buckets": 32,
        "type_vocab_size": 0,
        "uses_token_types": False,
    },
    refine=after_padding,
    computed=COMPUTED | {"relative_attention_num_buckets": 32, "pad_token_id": PAD_TOKEN_ID},
    renames=(
        ("attention.self.query.", "attention.attn.q."),
        ("attention.self.key.", "attention.attn.k."),
        ("attention.self.value.", "attention.attn.v."),
        ("attention.output.dense.", "attention.attn.o."),
        ("attention.output.LayerNorm.", "attention.LayerNorm."),
    ),
    unused=(
        r"embeddings\.position_ids",
        r"lm_head\..+",
        r"pooler\.dense\.(weight|bias)",
        r"classifier\.((dense|out_proj)\.)?(weight|bias)",
        r"qa_outputs\.(weight|bias)",
    ),
)
