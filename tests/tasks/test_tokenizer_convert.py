"""What only transformers reads is converted once, and read back without it."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from maskjax.errors import InputError
from maskjax.tasks import load_tokenizer
from maskjax.tasks.tokenizer_convert import SENTENCEPIECE, convert_tokenizer
from tests.tasks.trained import MADE, assert_equal, byte_bpe, change, corpus, word_piece, write

BRACKETS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ANGLES = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokenizers"


@pytest.fixture
def without_transformers(monkeypatch):
    """Returns a function from when on transformers cannot be imported."""

    def refuse():
        raise AssertionError("transformers was asked")

    name = "maskjax.tasks.tokenizer_convert.import_transformers"
    return lambda: monkeypatch.setattr(name, refuse)


def assert_kept(folder, without_transformers, load=load_tokenizer):
    """Compares a tokenizer that is converted with its kept form, which needs no transformers."""
    assert_equal(folder, load)
    without_transformers()
    assert_equal(folder, load)


def load_converted(folder, kind="classification"):
    tokenizer = convert_tokenizer(folder)
    if kind == "tokens" and not tokenizer.add_prefix_space:
        return convert_tokenizer(folder, add_prefix_space=True)
    return tokenizer


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", MADE)
def test_kept_tokenizers_equal_those_of_transformers(tmp_path, without_transformers, name):
    folder = write(tmp_path / name, name)
    state = AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str()
    assert_kept(folder, without_transformers, load_converted)
    # The scores of Unigram too, to the last bit.
    assert convert_tokenizer(folder).backend_tokenizer.to_str() == state


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("family", ["bert", "electra", "distilbert", "mpnet"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_only_vocab_txt(tmp_path, without_transformers, family, lowercase):
    vocabulary = word_piece(*(ANGLES if family == "mpnet" else BRACKETS), lowercase=lowercase)
    lines = sorted(vocabulary, key=vocabulary.__getitem__)
    (tmp_path / "vocab.txt").write_text("\n".join(lines), encoding="utf8")
    change(tmp_path / "config.json", model_type=family)
    change(tmp_path / "tokenizer_config.json", do_lower_case=lowercase)
    assert_kept(tmp_path, without_transformers)


@pytest.mark.usefixtures("cache")
def test_only_vocab_json_and_merges_txt(tmp_path, without_transformers):
    vocabulary, merges = byte_bpe("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (tmp_path / "merges.txt").write_text("\n".join(lines))
    change(tmp_path / "config.json", model_type="roberta")
    assert_kept(tmp_path, without_transformers)


PADDED = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
PIECES = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1}
GEMMA = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "bos_piece": "<bos>"}
GEMMA |= {"eos_piece": "<eos>", "model_type": "bpe", "byte_fallback": True, "vocab_size": 600}
GEMMA |= {"add_dummy_prefix": False, "remove_extra_whitespaces": False}
MODELS = {
    "xlm-roberta": ("sentencepiece.bpe.model", {}),
    "camembert": ("sentencepiece.bpe.model", {}),
    "albert": ("spiece.model", {**ALBERT, "control_symbols": "[CLS],[SEP],[MASK]"}),
    "deberta-v2": ("spm.model", {**PADDED, **PIECES}),
    "gemma3_text": ("tokenizer.model", {**GEMMA, "user_defined_symbols": "<mask>"}),
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders with nothing but SentencePiece's model."""
    reason = 'needs pip install "maskjax[sentencepiece]"'
    sentencepiece = pytest.importorskip("sentencepiece", reason=reason)
    texts = [text for text in corpus() if text.strip() and "\0" not in text]
    folders = {}
    for name, (file, options) in MODELS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        content = io.BytesIO()
        quiet = {"hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=content,
            **{"vocab_size": 400, **quiet, **options},
        )
        (folders[name] / file).write_bytes(content.getvalue())
        change(folders[name] / "config.json", model_type=name)
    return folders


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", MODELS)
def test_only_a_model_of_sentencepiece(models, tmp_path, without_transformers, name):
    folder = shutil.copytree(models[name], tmp_path / name)
    assert_kept(folder, without_transformers)
    change(folder / "tokenizer_config.json", model_max_length=128)
    with pytest.raises(AssertionError, match="transformers was asked"):
        load_tokenizer(folder)


@pytest.mark.parametrize("file", SENTENCEPIECE)
@pytest.mark.parametrize("missing", ["sentencepiece", "google.protobuf"])
def test_model_of_sentencepiece_names_the_missing_package(tmp_path, monkeypatch, file, missing):
    (tmp_path / file).write_bytes(b"")
    change(tmp_path / "config.json", model_type="xlm-roberta")
    monkeypatch.setattr("maskjax.extras._is_installed", lambda name: name != missing)
    package = {"google.protobuf": "protobuf"}.get(missing, missing)
    expected = rf'{file} needs {package}; pip install "maskjax\[sentencepiece\]"$'
    with pytest.raises(InputError, match=expected):
        load_tokenizer(tmp_path)


def test_kept_model_needs_no_sentencepiece(models, cache, monkeypatch, without_transformers):
    tokens = load_tokenizer(models["xlm-roberta"]).backend_tokenizer.encode("twice").tokens
    monkeypatch.setattr("maskjax.extras._is_installed", lambda name: False)
    without_transformers()
    again = load_tokenizer(models["xlm-roberta"])
    assert again.backend_tokenizer.encode("twice").tokens == tokens


@pytest.mark.usefixtures("cache")
def test_model_under_the_name_of_another_family_is_refused(models, tmp_path):
    shutil.copy(models["albert"] / "spiece.model", tmp_path)
    change(tmp_path / "config.json", model_type="xlm-roberta")
    expected = "no vocabulary; a XLMRobertaTokenizer expects it in sentencepiece.bpe.model or tok"
    with pytest.raises(InputError, match=expected):
        load_tokenizer(tmp_path)


@pytest.fixture
def vocab_txt(bert_folder, tmp_path):
    return shutil.copytree(bert_folder, tmp_path / "base")


def entries(cache) -> list[Path]:
    return sorted(cache.iterdir())


def test_entry_is_a_tokenizer_json(vocab_txt, cache):
    load_tokenizer(vocab_txt)
    (entry,) = entries(cache)
    assert sorted(path.name for path in entry.iterdir()) == ["maskjax.json", "tokenizer.json"]
    state = AutoTokenizer.from_pretrained(vocab_txt).backend_tokenizer.to_str()
    assert (entry / "tokenizer.json").read_text(encoding="utf8") == state
    assert sorted(path.name for path in vocab_txt.iterdir()) == ["config.json", "vocab.txt"]


def test_changed_files_or_versions_are_converted_again(vocab_txt, cache, monkeypatch):
    load_tokenizer(vocab_txt)
    load_tokenizer(vocab_txt)
    assert len(entries(cache)) == 1
    (vocab_txt / "vocab.txt").write_text("\n".join([*BRACKETS, "z"]))
    assert "z" in load_tokenizer(vocab_txt).get_vocab()
    assert len(entries(cache)) == 2
    monkeypatch.setattr("maskjax.tasks.tokenizer_convert.version", lambda name: "0")
    load_tokenizer(vocab_txt)
    assert len(entries(cache)) == 3


@pytest.mark.parametrize("file", ["tokenizer.json", "maskjax.json"])
@pytest.mark.parametrize("content", [None, "", "{}", '{"sha256": 1}', "[" * 100000])
def test_damaged_entries_are_replaced(vocab_txt, cache, file, content):
    whole = load_tokenizer(vocab_txt)
    (entry,) = entries(cache)
    before = (entry / file).read_bytes()
    (entry / file).unlink() if content is None else (entry / file).write_text(content)
    again = load_tokenizer(vocab_txt)
    assert again.backend_tokenizer.to_str() == whole.backend_tokenizer.to_str()
    assert (entry / file).read_bytes() == before


def test_cache_that_cannot_be_written_is_no_error(vocab_txt, cache):
    cache.parent.mkdir()
    cache.write_text("a file")
    assert load_tokenizer(vocab_txt).get_vocab()["a"] == 5
    assert cache.read_text() == "a file"


def test_user_without_a_home_converts_each_time(vocab_txt, monkeypatch):
    monkeypatch.setattr("maskjax.tasks.tokenizer_convert.cache_folder", lambda: None)
    assert load_tokenizer(vocab_txt).get_vocab()["a"] == 5


def test_split_special_tokens_are_remembered(vocab_txt, cache, without_transformers):
    """tokenizer.json has no place for it."""
    change(vocab_txt / "tokenizer_config.json", split_special_tokens=True)
    load_tokenizer(vocab_txt)
    without_transformers()
    kept = load_tokenizer(vocab_txt).backend_tokenizer
    assert kept.encode_special_tokens
    assert "[MASK]" not in kept.encode("a [MASK]").tokens


PROGRAM = """
import sys
sys.modules["transformers"] = sys.modules["sentencepiece"] = None
from maskjax.tasks import load_tokenizer
print(load_tokenizer(sys.argv[1]).backend_tokenizer.encode("a b").ids)
"""


def test_kept_tokenizer_is_read_in_another_process(vocab_txt, cache):
    ids = load_tokenizer(vocab_txt).backend_tokenizer.encode("a b").ids
    command = [sys.executable, "-c", PROGRAM, str(vocab_txt)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == f"{ids}\n"
