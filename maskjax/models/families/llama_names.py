"""The names of tensors that encoders made of a Llama share, such as EuroBERT and Gemma 3."""

LLAMA_NAMES = (
    ("embeddings.word_embeddings.", "embed_tokens."),
    ("encoder.LayerNorm.", "norm."),
    ("encoder.layer.", "layers."),
    ("attention.LayerNorm.", "input_layernorm."),
    ("attention.self.query.", "self_attn.q_proj."),
    ("attention.self.key.", "self_attn.k_proj."),
    ("attention.self.value.", "self_attn.v_proj."),
    ("attention.output.dense.", "self_attn.o_proj."),
    # The product that is activated is our dense one, and the one that gates it theirs.
    ("intermediate.dense.", "mlp.gate_proj."),
    ("intermediate.gate.", "mlp.up_proj."),
    ("output.dense.", "mlp.down_proj."),
)
"""Ours → theirs, in the order of replacement."""
