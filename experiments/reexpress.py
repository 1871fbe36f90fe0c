"""MiniLM's weights re-expressed as the other two families, which compute the same hidden states.

    python -m experiments.reexpress --out bases

DistilBERT has no token types and no pooler, so type 0 is folded into the positions. RoBERTa's
positions begin two rows later, and its padding has id 1. Neither is a pretrained DistilBERT or
RoBERTa; they show that heads, names and masks of these families work on real weights.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import tyro
from safetensors.numpy import load_file, save_file

from maskjax.models.minilm import minilm_folder

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)

DISTILBERT_NAMES = (
    ("encoder.layer", "transformer.layer"),
    ("attention.self.query", "attention.q_lin"),
    ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"),
    ("intermediate.dense", "ffn.lin1"),
    (".output.dense", ".ffn.lin2"),
    (".output.LayerNorm", ".output_layer_norm"),
)
"""BERT's names and DistilBERT's, in the order of replacement."""


def main(out: Path) -> None:
    """Writes both checkpoints.

    Args:
        out: Gets the folders `distilbert` and `roberta`.
    """
    for family, write in {"distilbert": write_as_distilbert, "roberta": write_as_roberta}.items():
        print(write(minilm_folder(), out / family))


def write_as_distilbert(minilm: Path, folder: Path) -> Path:
    """Writes MiniLM as a DistilBERT checkpoint.

    Args:
        minilm: Its folder.
        folder: Made if it is missing.

    Returns:
        `folder`.
    """
    tensors = load_file(minilm / "model.safetensors")
    types = tensors.pop("embeddings.token_type_embeddings.weight")
    tensors["embeddings.position_embeddings.weight"] += types[:1]
    renamed = {
        f"distilbert.{_distilbert_name(name)}": tensor
        for name, tensor in tensors.items()
        if not name.startswith("pooler")
    }
    config = {
        "model_type": "distilbert",
        "vocab_size": 30522,
        "dim": 384,
        "n_layers": 6,
        "n_heads": 12,
        "hidden_dim": 1536,
        "max_position_embeddings": 512,
    }
    return _write(minilm, folder, renamed, config)


def write_as_roberta(minilm: Path, folder: Path) -> Path:
    """Writes MiniLM as a RoBERTa checkpoint.

    Args:
        minilm: Its folder.
        folder: Made if it is missing.

    Returns:
        `folder`.
    """
    tensors = load_file(minilm / "model.safetensors")
    positions = tensors["embeddings.position_embeddings.weight"]
    tensors["embeddings.position_embeddings.weight"] = np.concatenate([positions[:2], positions])
    types = tensors["embeddings.token_type_embeddings.weight"]
    tensors["embeddings.token_type_embeddings.weight"] = types[:1].copy()
    config = json.loads((minilm / "config.json").read_text(encoding="utf8"))
    config |= {"model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1}
    config |= {"max_position_embeddings": 514}
    renamed = {f"roberta.{name}": tensor for name, tensor in tensors.items()}
    return _write(minilm, folder, renamed, config)


def _distilbert_name(name: str) -> str:
    for old, new in DISTILBERT_NAMES:
        name = name.replace(old, new)
    return name


def _write(
    minilm: Path, folder: Path, tensors: dict[str, np.ndarray], config: dict[str, object]
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf8")
    for name in TOKENIZER_FILES:
        if (minilm / name).exists():
            shutil.copyfile(minilm / name, folder / name)
    return folder


if __name__ == "__main__":
    tyro.cli(main)
