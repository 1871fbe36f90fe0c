"""Files and tokenizers that the tests of this folder share."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e"]


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes files named by keyword: `train_tsv` is train.tsv."""

    def write(**files: str | bytes) -> Path:
        for name, content in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return write


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return folder


@pytest.fixture(scope="session")
def roberta_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roberta")
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "Ġ", "Ġb"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ b\n")
    return folder


@pytest.fixture(scope="session")
def bert_tokenizer(bert_folder):
    return AutoTokenizer.from_pretrained(bert_folder)


@pytest.fixture(scope="session")
def roberta_tokenizer(roberta_folder):
    return AutoTokenizer.from_pretrained(roberta_folder)


@pytest.fixture(scope="session")
def bert_pieces(tmp_path_factory):
    """A tokenizer that knows c only as a piece in the middle of a word."""
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "vocab.txt").write_text("\n".join([*WORDS, "##c"]))
    return AutoTokenizer.from_pretrained(folder)
