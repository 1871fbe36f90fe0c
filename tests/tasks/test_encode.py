import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.tasks import Split, encode, load_tokenizer
from maskjax.tasks.tokenizer_convert import import_transformers, load_with_transformers

# Ids in the vocabularies of conftest.py.
CLS, SEP, UNK, A, B, C, D = 2, 3, 1, 5, 6, 7, 8


def split(*texts: tuple[str, ...]) -> Split:
    return Split(list(texts), np.arange(len(texts), dtype=np.int32))


def as_lists(arrays) -> list[list[int]]:
    assert all(array.dtype == np.int32 for array in arrays)
    return [array.tolist() for array in arrays]


def test_single_texts_get_special_tokens_and_types(bert_tokenizer):
    encoded = encode(split(("a b",), ("c",), ("a z",)), bert_tokenizer, max_length=8)
    assert as_lists(encoded.input_ids) == [[CLS, A, B, SEP], [CLS, C, SEP], [CLS, A, UNK, SEP]]
    assert as_lists(encoded.token_type_ids) == [[0] * 4, [0] * 3, [0] * 4]
    assert encoded.labels.tolist() == [0, 1, 2]
    assert encoded.truncated == 0


def test_pairs_get_separators_and_types(bert_tokenizer):
    encoded = encode(split(("a b", "c"), ("d", "d")), bert_tokenizer, max_length=8)
    assert as_lists(encoded.input_ids) == [[CLS, A, B, SEP, C, SEP], [CLS, D, SEP, D, SEP]]
    assert as_lists(encoded.token_type_ids) == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]


def test_long_text_is_cut_and_counted(bert_tokenizer):
    encoded = encode(split(("a b c",), ("a b",), ("a b c d",)), bert_tokenizer, max_length=4)
    assert as_lists(encoded.input_ids) == [[CLS, A, B, SEP]] * 3
    assert encoded.truncated == 2


def test_pair_is_cut_where_it_is_longer(bert_tokenizer):
    texts = [("a b c d", "c"), ("a", "a b c d"), ("a b c", "c d c"), ("a b", "c")]
    encoded = encode(split(*texts), bert_tokenizer, max_length=6)
    assert as_lists(encoded.input_ids) == [
        [CLS, A, B, SEP, C, SEP],
        [CLS, A, SEP, A, B, SEP],
        [CLS, A, SEP, C, D, SEP],
        [CLS, A, B, SEP, C, SEP],
    ]
    assert encoded.truncated == 3


def test_roberta_has_one_token_type(roberta_tokenizer):
    encoded = encode(split(("a b", "b")), roberta_tokenizer, max_length=16)
    assert as_lists(encoded.input_ids) == [[0, 5, 8, 2, 2, 6, 2]]
    assert as_lists(encoded.token_type_ids) == [[0] * 7]


def test_token_types_are_zero_for_a_model_without_them(bert_folder):
    tokenizer = load_tokenizer(bert_folder)
    tokenizer = replace(tokenizer, model_input_names=["input_ids", "attention_mask"])
    encoded = encode(split(("a", "b")), tokenizer, max_length=8)
    assert as_lists(encoded.token_type_ids) == [[0] * 5]


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("pair", [False, True])
def test_encode_matches_one_by_one_calls(request, family, pair):
    tokenizer = request.getfixturevalue(f"{family}_tokenizer")
    random = np.random.default_rng(0)
    texts = [
        tuple(" ".join(random.choice(list("abz"), random.integers(1, 9))) for _ in range(1 + pair))
        for _ in range(50)
    ]
    encoded = encode(split(*texts), tokenizer, max_length=9)
    whole = [tokenizer(*row)["input_ids"] for row in texts]
    cut = [tokenizer(*row, truncation="longest_first", max_length=9)["input_ids"] for row in texts]
    assert as_lists(encoded.input_ids) == cut
    assert encoded.truncated == sum(len(row) > 9 for row in whole) > 0


def test_labels_are_unchanged(bert_tokenizer):
    numbers = Split([("a",), ("b",)], np.float32([0.5, 2.5]))
    assert encode(numbers, bert_tokenizer, max_length=8).labels is numbers.labels


def test_encode_accepts_no_rows(bert_tokenizer):
    encoded = encode(Split([], np.zeros(0, np.int32)), bert_tokenizer, max_length=8)
    assert as_lists(encoded.input_ids) == as_lists(encoded.token_type_ids) == []
    assert encoded.rows == encoded.truncated == 0


@pytest.mark.parametrize(("texts", "least"), [(("a b c",), 3), (("a b", "c d"), 5)])
def test_max_length_without_room_for_text_is_refused(bert_tokenizer, texts, least):
    encode(split(texts), bert_tokenizer, max_length=least)
    with pytest.raises(
        InputError, match=rf"max_length: expected at least {least}.*got {least - 1}"
    ):
        encode(split(texts), bert_tokenizer, max_length=least - 1)


def test_tokenizer_is_loaded_from_its_folder(bert_folder, roberta_folder):
    assert load_tokenizer(bert_folder).get_vocab()["a"] == A
    assert load_tokenizer(roberta_folder).get_vocab()["<pad>"] == 1


def test_tokenizer_is_the_same_after_saving(bert_folder, tmp_path):
    load_with_transformers(bert_folder).save_pretrained(tmp_path)
    assert not (tmp_path / "vocab.txt").exists()
    assert load_tokenizer(tmp_path).backend_tokenizer.encode("a b").ids == [CLS, A, B, SEP]


def sentences(*words: tuple[str, ...]) -> Split:
    return Split(list(words), np.zeros(sum(map(len, words)), np.int32), "tokens")


def test_word_position_is_that_of_its_first_or_last_piece(bert_pieces):
    rows = sentences(("a", "bcc", "d"), ("bcc", "a"))
    last = encode(rows, bert_pieces, 16)
    assert last.word_positions is not None
    assert as_lists(last.word_positions) == [[1, 4, 5], [3, 4]]
    first = encode(rows, bert_pieces, 16, "first")
    assert first.word_positions is not None
    assert as_lists(first.word_positions) == [[1, 2, 5], [1, 4]]
    assert last.sizes.tolist() == [3, 2]
    assert last.unseen_words == last.truncated == 0


def test_words_beyond_the_longest_sequence_are_counted(bert_pieces):
    rows = sentences(("a", "a", "bcc", "d"), ("a",), ("a", "a", "a"))
    encoded = encode(rows, bert_pieces, 5)
    assert encoded.word_positions is not None
    assert as_lists(encoded.word_positions) == [[1, 2, 3, -1], [1], [1, 2, 3]]
    assert (encoded.truncated, encoded.unseen_words) == (1, 1)


def test_word_without_tokens_has_no_position(bert_tokenizer):
    """A tokenizer drops control characters, and words that are nothing else."""
    encoded = encode(sentences(("a", "\x7f", "b", "\u200d")), bert_tokenizer, 8)
    assert encoded.word_positions is not None
    assert as_lists(encoded.word_positions) == [[1, -1, 2, -1]]
    assert as_lists(encoded.input_ids) == [[CLS, A, B, SEP]]
    assert (encoded.truncated, encoded.unseen_words) == (0, 2)


def test_roberta_reads_words_as_if_a_space_stood_before(roberta_folder):
    encoded = encode(sentences(("b", "b")), load_tokenizer(roberta_folder, "tokens"), 8)
    assert as_lists(encoded.input_ids) == [[0, 8, 8, 2]]
    assert encoded.word_positions is not None
    assert as_lists(encoded.word_positions) == [[1, 2]]


def test_missing_folder_suggests_similar_names(bert_folder):
    with pytest.raises(InputError, match=rf"No folder .*; in {bert_folder.parent}, did you mean"):
        load_tokenizer(bert_folder.with_name("bert"))


def test_folder_without_vocabulary_is_refused(bert_folder, tmp_path):
    shutil.copy(bert_folder / "config.json", tmp_path)
    with pytest.raises(InputError, match=r"expected a tokenizer in tokenizer.json or vocab.txt or"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", ['{"version":', "{}", '{"model": {"type": "WordPiece"}}'])
def test_broken_tokenizer_is_refused(bert_folder, tmp_path, content):
    shutil.copy(bert_folder / "config.json", tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=rf"{tmp_path}: the tokenizer cannot be read") as raised:
        load_tokenizer(tmp_path)
    assert "\n" not in str(raised.value)


def test_slow_tokenizer_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "canine"}')
    (tmp_path / "vocab.txt").write_text("a")
    with pytest.raises(InputError, match=r"expected a tokenizer that has a fast form"):
        load_tokenizer(tmp_path)


WITHOUT_TORCH = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *package: None if name == "torch" else find(name, *package)
{}
"""


@pytest.mark.parametrize(
    ("line", "is_advised"),
    [
        ("import transformers", True),
        ("import maskjax.tasks.tokenizer_convert as t; t.import_transformers()", False),
        ("import maskjax.tasks.tokenizer as t; t.load_tokenizer(t.Path(sys.argv[1]))", False),
    ],
)
def test_loading_prints_no_advice_to_install_torch(bert_folder, line, is_advised):
    command = [sys.executable, "-c", WITHOUT_TORCH.format(line), str(bert_folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ("PyTorch was not found" in result.stdout + result.stderr) == is_advised


@pytest.mark.parametrize("before", [None, "", "1"])
def test_users_choice_about_advice_is_kept(monkeypatch, before):
    name = "TRANSFORMERS_NO_ADVISORY_WARNINGS"
    monkeypatch.delenv(name, raising=False)
    if before is not None:
        monkeypatch.setenv(name, before)
    assert import_transformers().__name__ == "transformers"
    assert os.environ.get(name) == before


def test_half_of_a_surrogate_pair_names_the_row(bert_tokenizer):
    with pytest.raises(InputError, match=r"row 2: expected Unicode, .* in 'a .ud83d'"):
        encode(split(("a b",), ("a \ud83d",)), bert_tokenizer, max_length=8)
    pairs = encode(split(("\U0001f600",)), bert_tokenizer, max_length=8)
    assert as_lists(pairs.input_ids) == [[CLS, UNK, SEP]]
