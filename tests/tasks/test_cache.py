"""Tokenized rows on disk are the same rows, found by all settings that they depend on."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load, save

from maskjax.errors import InputError
from maskjax.tasks import Split, cache, encode, encode_cached, load_tokenizer

LABELS = np.arange(3, dtype=np.int32)
SPLITS = {
    "one": Split([("a b c d e",), ("b",), ("z a",)], LABELS),
    "pair": Split([("a", "b"), ("a b c d", "d"), ("c", "e")], LABELS),
    "choice": Split([("a", "b", "c"), ("a b c d", "d", "a"), ("c", "e", "d")], LABELS, "choice"),
    "tokens": Split([("a", "bcc"), ("bcc",), ("c", "a", "b", "\u200d")], np.arange(7), "tokens"),
    "empty": Split([], LABELS[:0]),
}


@pytest.fixture(autouse=True)
def entries(monkeypatch, tmp_path):
    """An empty cache; returns what lists its entries."""
    monkeypatch.setenv("MASKJAX_CACHE", str(tmp_path))
    return lambda: sorted((tmp_path / "tokens").iterdir())


@pytest.fixture
def no_tokenizing(monkeypatch):
    """Returns a function that forbids tokenizing from then on."""
    return lambda: monkeypatch.setattr(cache, "encode", None)


def as_lists(encoded) -> dict:
    fields = ("input_ids", "token_type_ids", "word_positions")
    arrays = {name: value for name in fields if (value := getattr(encoded, name)) is not None}
    lists = {name: [row.tolist() for row in rows] for name, rows in arrays.items()}
    dtypes = {name: (rows.values.dtype, rows.lengths.dtype) for name, rows in arrays.items()}
    counts = (encoded.truncated_rows.tolist(), encoded.choices, encoded.sizes.tolist())
    windows = None if encoded.window_counts is None else encoded.window_counts.tolist()
    return lists | {"dtypes": dtypes, "counts": counts, "windows": windows}


@pytest.mark.parametrize("stride", [None, 1])
@pytest.mark.parametrize("name", SPLITS)
def test_cached_rows_equal_the_encoded_rows(bert_pieces, no_tokenizing, name, stride):
    split, options = SPLITS[name], (bert_pieces, 6, "last", stride)
    if stride is not None and split.kind == "choice":
        return
    expected = as_lists(encode(split, *options))
    first, notes = encode_cached(split, *options)
    assert (as_lists(first), notes) == (expected, [])
    no_tokenizing()
    second, notes = encode_cached(split, *options)
    assert (as_lists(second), notes) == (expected, [])
    assert second.labels is split.labels


def test_each_setting_of_tokenization_has_its_own_entry(bert_folder, bert_pieces, entries):
    rows = SPLITS["tokens"]
    uncased = load_tokenizer(bert_folder)
    others = [
        (rows, bert_pieces, 6),
        (rows, bert_pieces, 7),
        (rows, bert_pieces, 6, "first"),
        (rows, uncased, 6),
        (SPLITS["pair"], bert_pieces, 6),
        (SPLITS["pair"]._replace(kind="choice"), bert_pieces, 6),
        (SPLITS["one"], bert_pieces, 6),
        # The same characters, divided otherwise.
        (Split([("a b", "c"), ("d", "e")], LABELS[:2]), bert_pieces, 6),
        (Split([("a", "b c"), ("d", "e")], LABELS[:2]), bert_pieces, 6),
        (Split([("a", "b"), ("c d", "e")], LABELS[:2]), bert_pieces, 6),
    ]
    for count, other in enumerate(others, start=1):
        encode_cached(*other)
        assert len(entries()) == count
        encode_cached(*other)
        assert len(entries()) == count


def test_changed_vocabulary_or_case_makes_a_new_entry(bert_folder, tmp_path, entries):
    folder = tmp_path / "other"
    shutil.copytree(bert_folder, folder)
    encode_cached(SPLITS["one"], load_tokenizer(bert_folder), 6)
    encode_cached(SPLITS["one"], load_tokenizer(folder), 6)
    assert len(entries()) == 1  # where it lies does not matter
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    encode_cached(SPLITS["one"], load_tokenizer(folder), 6)
    assert len(entries()) == 2
    words = (folder / "vocab.txt").read_text().split("\n")
    (folder / "vocab.txt").write_text("\n".join([*words[:-2], words[-1], words[-2]]))
    encode_cached(SPLITS["one"], load_tokenizer(folder), 6)
    assert len(entries()) == 3


def test_entry_does_not_depend_on_earlier_calls_of_the_tokenizer(bert_tokenizer, entries):
    encode_cached(SPLITS["one"], bert_tokenizer, 6)
    bert_tokenizer("a b c", truncation=True, max_length=3, padding="max_length")
    encode_cached(SPLITS["one"], bert_tokenizer, 6)
    assert len(entries()) == 1


def test_entry_does_not_depend_on_labels(bert_tokenizer, entries):
    encode_cached(SPLITS["one"], bert_tokenizer, 6)
    other = SPLITS["one"]._replace(labels=np.float32([0.5, 1, 2]))
    encoded, _ = encode_cached(other, bert_tokenizer, 6)
    assert encoded.labels is other.labels
    assert len(entries()) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "header"])
def test_damaged_entry_is_rebuilt_and_reported(bert_tokenizer, entries, damage):
    split = SPLITS["pair"]
    expected, _ = encode_cached(split, bert_tokenizer, 6)
    (path,) = entries()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-3 if damage == "flip" else 45] ^= 1
    damaged = {"cut": whole[:-5], "empty": b""}.get(damage, bytes(flipped))
    path.write_bytes(damaged)
    encoded, notes = encode_cached(split, bert_tokenizer, 6)
    assert notes == [f"{path}: the entry is damaged; the rows were tokenized again"]
    assert as_lists(encoded) == as_lists(expected)
    assert path.read_bytes() == whole
    assert encode_cached(split, bert_tokenizer, 6)[1] == []


def rewrite(path, change):
    """Changes the tensors of an entry and signs it again."""
    tensors = load(path.read_bytes()[32:])
    change(tensors)
    payload = save(tensors)
    path.write_bytes(hashlib.sha256(payload).digest() + payload)


WRONG = {
    "named pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
    "no tensors": lambda path: path.write_bytes(hashlib.sha256(b"x").digest() + b"x"),
    "other key": lambda path: rewrite(path, lambda t: t.update(key=t["key"][::-1].copy())),
    "no key": lambda path: rewrite(path, lambda t: t.pop("key")),
    "fewer rows": lambda path: rewrite(
        path, lambda t: t.update(ids=t["ids"][:4], types=t["types"][:4], lengths=t["lengths"][:1])
    ),
    "unknown token": lambda path: rewrite(path, lambda t: t.update(ids=t["ids"] + 99)),
    "negative token": lambda path: rewrite(path, lambda t: t.update(ids=t["ids"] - 99)),
    "floats": lambda path: rewrite(path, lambda t: t.update(ids=t["ids"].astype(np.float32))),
    "places": lambda path: rewrite(path, lambda t: t.update(places=t["places"] + 50)),
    "sizes": lambda path: rewrite(path, lambda t: t.update(sizes=t["sizes"][::-1].copy())),
    "choices": lambda path: rewrite(path, lambda t: t.update(choices=np.array([3]))),
    "truncated": lambda path: rewrite(path, lambda t: t.update(truncated=np.array([3]))),
    "windows": lambda path: rewrite(path, lambda t: t.update(windows=np.array([1, 2, 0]))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_entry_that_does_not_fit_its_name_is_rebuilt(bert_tokenizer, entries, wrong):
    split = SPLITS["tokens"]
    expected, _ = encode_cached(split, bert_tokenizer, 6)
    (path,) = entries()
    whole = path.read_bytes()
    WRONG[wrong](path)
    encoded, (note,) = encode_cached(split, bert_tokenizer, 6)
    assert "; the rows were tokenized again" in note
    assert as_lists(encoded) == as_lists(expected)
    assert path.read_bytes() == whole
    assert encode_cached(split, bert_tokenizer, 6)[1] == []


def test_an_entry_of_other_rows_is_rebuilt(bert_tokenizer, entries):
    encode_cached(SPLITS["one"], bert_tokenizer, 6)
    (first,) = entries()
    others = [("d",), ("e e",), ("c b",)]
    encode_cached(SPLITS["one"]._replace(texts=others), bert_tokenizer, 6)
    (second,) = {*entries()} - {first}
    shutil.copy(first, second)
    encoded, (note,) = encode_cached(SPLITS["one"]._replace(texts=others), bert_tokenizer, 6)
    assert "the entry belongs to other rows" in note
    assert encoded.input_ids[0].tolist() == bert_tokenizer("d")["input_ids"]


def test_a_user_without_a_home_has_no_cache(bert_tokenizer, monkeypatch):
    monkeypatch.delenv("MASKJAX_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    encoded, (note,) = encode_cached(SPLITS["one"], bert_tokenizer, 6)
    assert as_lists(encoded) == as_lists(encode(SPLITS["one"], bert_tokenizer, 6))
    assert "MASKJAX_CACHE" in note


def test_read_only_folder_is_a_note_and_no_error(bert_tokenizer, tmp_path):
    (tmp_path / "tokens").write_text("a file in its place")
    encoded, notes = encode_cached(SPLITS["one"], bert_tokenizer, 6)
    assert as_lists(encoded) == as_lists(encode(SPLITS["one"], bert_tokenizer, 6))
    assert any("the tokenized rows were not kept" in note for note in notes)


def test_failed_encoding_leaves_no_entry(bert_tokenizer, tmp_path):
    with pytest.raises(InputError, match="max_length"):
        encode_cached(SPLITS["pair"], bert_tokenizer, 4)
    assert not (tmp_path / "tokens").exists()


def test_a_stride_has_its_own_entry(bert_tokenizer, entries):
    for stride in (None, 0, 1):
        encode_cached(SPLITS["one"], bert_tokenizer, 6, "last", stride)
    assert len(entries()) == 3
