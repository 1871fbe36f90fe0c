"""Windows over long rows, against transformers' own and a brute-force choice of the window."""

import numpy as np
import pytest

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import IGNORED, Split, encode, eval_batches, train_batches
from maskjax.tasks.windows import word_positions

OPTIONS = {"truncation": "longest_first", "return_overflowing_tokens": True}


def texts(count: int, columns: int = 1, longest: int = 40, seed: int = 0) -> list[tuple[str, ...]]:
    random = np.random.default_rng(seed)
    letters = list("abcdez")
    return [
        tuple(" ".join(random.choice(letters, random.integers(1, longest))) for _ in range(columns))
        for _ in range(count)
    ]


def split_of(rows, kind="classification", labels=None):
    units = sum(map(len, rows)) if kind == "tokens" else len(rows)
    return Split(rows, np.arange(units, dtype=np.int32) if labels is None else labels, kind)


def windows_of(encoded) -> list[list[list[int]]]:
    """Token ids by row and window."""
    ids = iter(row.tolist() for row in encoded.input_ids)
    return [[next(ids) for _ in range(count)] for count in encoded.window_counts]


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize(("length", "stride"), [(10, 0), (10, 3), (11, 4), (16, 8)])
def test_windows_are_those_of_transformers(request, family, length, stride):
    tokenizer = request.getfixturevalue(f"{family}_tokenizer")
    rows = texts(40)
    encoded = encode(split_of(rows), tokenizer, length, stride=stride)
    for (text,), windows in zip(rows, windows_of(encoded), strict=True):
        theirs = tokenizer(text, max_length=length, stride=stride, **OPTIONS)
        assert windows == theirs["input_ids"]
    assert encoded.truncated == 0
    assert encoded.windows > encoded.rows == 40


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_longer_text_of_a_pair_is_read_in_windows(request, family, side):
    tokenizer = request.getfixturevalue(f"{family}_tokenizer")
    short, long = texts(30, longest=3), texts(30, seed=1)
    rows = [(a, b) if side else (b, a) for (a,), (b,) in zip(short, long, strict=True)]
    encoded = encode(split_of(rows), tokenizer, 16, stride=3)
    options = {**OPTIONS, "truncation": "only_second" if side else "only_first"}
    types = iter(row.tolist() for row in encoded.token_type_ids)
    for row, windows in zip(rows, windows_of(encoded), strict=True):
        theirs = tokenizer(*row, max_length=16, stride=3, return_token_type_ids=True, **options)
        assert windows == theirs["input_ids"]
        assert [next(types) for _ in windows] == theirs["token_type_ids"]
    assert encoded.truncated == 0
    assert encoded.windows > 30


def test_a_pair_of_two_long_texts_is_truncated_and_counted(bert_tokenizer):
    rows = [("a b", "c d"), ("a b c d " * 4, "d c b a " * 4), ("a", "b c d e " * 4)]
    encoded = encode(split_of(rows), bert_tokenizer, 12, stride=2)
    assert encoded.truncated_rows.tolist() == [1]
    windows = windows_of(encoded)
    assert [len(of_row) for of_row in windows] == [1, 1, 3]
    plain = encode(split_of(rows), bert_tokenizer, 12)
    assert windows[1] == [plain.input_ids[1].tolist()]


def farthest_from_an_end(tokenizer, words, length, stride, piece) -> list[tuple[int, int]]:
    """Window and position of each word, found by trying all windows."""
    options = {**OPTIONS, "is_split_into_words": True, "max_length": length, "stride": stride}
    whole = tokenizer(words, is_split_into_words=True).word_ids()[1:-1]
    chosen = [-1] * len(words)
    for token, word in enumerate(whole):
        if piece == "last" or chosen[word] < 0:
            chosen[word] = token
    encodings = tokenizer(words, **options).encodings
    starts = [number * (length - 2 - stride) for number in range(len(encodings))]
    found = []
    for token in chosen:
        margins = []
        for start, encoding in zip(starts, encodings, strict=True):
            inside = token - start
            size = len(encoding.ids) - 2
            is_inside = token >= 0 and 0 <= inside < size
            margins.append(min(inside, size - 1 - inside) if is_inside else -1)
        best = int(np.argmax(margins))  # of equals the first
        position = token - starts[best] + 1 if token >= 0 else -1
        found.append((best, position))
    return found


@pytest.mark.parametrize("piece", ["first", "last"])
@pytest.mark.parametrize(("length", "stride"), [(8, 0), (8, 2), (9, 3), (10, 4), (16, 8)])
def test_a_word_is_labeled_where_it_is_farthest_from_an_end(bert_pieces, piece, length, stride):
    random = np.random.default_rng(length)
    rows = [
        tuple(random.choice(["a", "b", "bc", "bccc", "dcc"], random.integers(1, 40)))
        for _ in range(30)
    ]
    encoded = encode(split_of(rows, "tokens"), bert_pieces, length, piece, stride)
    assert encoded.sizes.tolist() == [len(row) for row in rows]
    of_windows = iter(row.tolist() for row in encoded.word_positions)
    for words, count in zip(rows, encoded.window_counts, strict=True):
        places = [next(of_windows) for _ in range(count)]
        ours = [(window, place) for window, some in enumerate(places) for place in some]
        assert ours == farthest_from_an_end(bert_pieces, list(words), length, stride, piece)
    assert encoded.unseen_words == encoded.truncated == 0


def test_words_without_tokens_stay_in_their_order(bert_pieces):
    words = ("\u200d", "a", "b", "c", "a", "\u200d", "b", "a", "a", "\u200d")
    encoded = encode(split_of([words], "tokens"), bert_pieces, 6, stride=1)
    assert sum(map(len, encoded.word_positions)) == len(words)
    assert np.flatnonzero(encoded.word_positions.values < 0).tolist() == [0, 5, 9]
    assert word_positions([[None, None]], 2, "last", 1)[0].tolist() == [-1, -1]


@pytest.mark.parametrize(("kind", "columns"), [("classification", 1), ("classification", 2)])
def test_rows_that_fit_are_those_without_a_stride(bert_tokenizer, kind, columns):
    rows = split_of(texts(20, columns, longest=6), kind)
    plain, windowed = (encode(rows, bert_tokenizer, 20, stride=stride) for stride in (None, 4))
    assert windowed.window_counts.tolist() == [1] * 20
    options = {"batch_size": 8, "buckets": (16, 20), "pad_id": 0}
    for make in (
        lambda some: [batch for _, batch in eval_batches(some, **options)],
        lambda some: list(train_batches(some, seed=3, epoch=1, **options)),
    ):
        for ours, expected in zip(make(windowed), make(plain), strict=True):
            assert ours.keys() == expected.keys()
            for name, array in ours.items():
                assert array.dtype == expected[name].dtype
                np.testing.assert_array_equal(array, expected[name])


def test_a_row_counts_once_in_an_epoch_whatever_its_windows(bert_tokenizer):
    rows = split_of(texts(50, longest=60))
    encoded = encode(rows, bert_tokenizer, 12, stride=3)
    options = {"batch_size": 8, "buckets": (4, 8, 12), "pad_id": 0, "seed": 0, "epoch": 0}
    weight = np.zeros(50)
    windows = 0
    for batch in train_batches(encoded, **options):
        np.add.at(weight, batch["labels"], batch["weights"])
        windows += int((batch["weights"] > 0).sum())
    assert windows == encoded.windows == encoded.window_counts.sum() > 100
    np.testing.assert_allclose(weight, encoded.windows / 50, rtol=1e-5)


def test_each_word_has_its_label_in_one_window(bert_pieces):
    random = np.random.default_rng(0)
    rows = [tuple(random.choice(["a", "bc", "d"], size)) for size in (3, 40, 17, 1)]
    labels = np.arange(61, dtype=np.int32)
    labels[::7] = IGNORED
    encoded = encode(split_of(rows, "tokens", labels), bert_pieces, 10, stride=4)
    options = {"batch_size": 4, "buckets": (10,), "pad_id": 0, "seed": 0, "epoch": 0}
    found = [b["labels"][b["weights"] > 0] for b in train_batches(encoded, **options)]
    assert sorted(np.concatenate(found)) == sorted(labels[labels != IGNORED])


def test_windows_of_choices_and_wrong_strides_are_refused(bert_tokenizer):
    choices = Split([("a", "b", "c")], np.zeros(1, np.int32), "choice")
    with pytest.raises(InputError, match=r"--task.stride: expected none for choice"):
        encode(choices, bert_tokenizer, 8, stride=2)
    with pytest.raises(InputError, match=r"--task.stride: expected at most 1, .* got 2; raise"):
        encode(split_of([("a",)]), bert_tokenizer, 4, stride=2)
    for wrong in (-1, 9):
        with pytest.raises(InputError, match=rf"task.stride: expected 0 to 8 tokens.*got {wrong}"):
            TaskConfig(max_length=16, stride=wrong)
