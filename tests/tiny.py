"""Small encoders with random weights, and rows for them, as a user has them on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import BertWordPieceTokenizer

from maskjax.export.huggingface import to_torch
from maskjax.masking import flatten_with_paths
from maskjax.models import build_model, normalize_name, read_config
from maskjax.models.model import pretrained_part

OF_TODAY = ("deberta-v2", "modernbert", "eurobert", "gemma3_text")
WORDS = ("good", "bad", "film", "the", "a", "was", "very", "book", "play", "song")
TOY = {
    "model_type": "bert",
    "vocab_size": 16,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def write_random_base(
    folder: Path, values: dict[str, Any], words: list[str], *, scale: float, seed: int = 0
) -> Path:
    """Writes a checkpoint in which every parameter, biases and norms too, is random."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    write_tokenizer(folder, words, in_one_file=values["model_type"] in OF_TODAY)
    model = build_model(read_config(values, "tiny"), num_outputs=1)
    random, leaves = np.random.default_rng(seed), {}
    for path, leaf in flatten_with_paths(pretrained_part(model)).items():
        array = random.normal(0, scale, leaf.shape)
        if path.endswith("scale") and model.config.norm != "rms_norm_plus_one":
            array += 1
        leaves[path] = array.astype(np.float32)
    family = values["model_type"]
    tensors = {normalize_name(name, family): t for name, t in to_torch(leaves, family).items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


def write_tokenizer(folder: Path, words: list[str], *, in_one_file: bool) -> None:
    """Writes BERT's tokenizer, as a vocabulary or as encoders of today have it."""
    if not in_one_file:
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
        (folder / "vocab.txt").write_text("\n".join(words))
        return
    tokenizer = BertWordPieceTokenizer({word: i for i, word in enumerate(words)})
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")}
    values = {"tokenizer_class": "PreTrainedTokenizerFast", **names}
    values["model_input_names"] = ["input_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(json.dumps(values))


def write_toy_base(folder: Path) -> Path:
    """Writes a BERT of two blocks with a vocabulary of ten words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s"]
    return write_random_base(folder, TOY, words, scale=0.4)


def write_toy_rows(folder: Path) -> Path:
    """Writes sentences whose label is whether they say good or bad."""
    random = np.random.default_rng(0)
    for split, rows in {"train": 96, "dev": 41, "test": 20}.items():
        lines = ["text\tlabel"]
        for row in range(rows):
            filler = random.choice(WORDS[2:], random.integers(2, 14))
            word = ("bad", "good")[row % 2]
            place = int(random.integers(len(filler) + 1))
            text = " ".join([*filler[:place], word, *filler[place:]])
            lines.append(f"{text}\t{('negative', 'positive')[row % 2]}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder
