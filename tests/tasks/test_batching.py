import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskjax.errors import InputError
from maskjax.tasks import (
    Encoded,
    Ragged,
    buckets_used,
    eval_batches,
    num_batches,
    train_batches,
)

PAD = 9

lengths_lists = st.lists(st.integers(1, 40), min_size=1, max_size=60)
batch_sizes = st.integers(1, 9)
bucket_tuples = st.sets(st.integers(1, 39), max_size=4).map(lambda some: (*sorted(some), 40))


def encode_lengths(lengths: list[int]) -> Encoded:
    """Rows of given lengths, each of whose tokens, types and labels tell its number."""
    return Encoded(
        input_ids=Ragged.from_rows([[100 + row] * length for row, length in enumerate(lengths)]),
        token_type_ids=Ragged.from_rows([[row % 2] * length for row, length in enumerate(lengths)]),
        labels=np.arange(len(lengths), dtype=np.int32),
    )


def epoch(encoded: Encoded, batch_size: int, buckets, seed: int = 0, number: int = 0) -> list[dict]:
    batches = train_batches(
        encoded, batch_size=batch_size, buckets=buckets, pad_id=PAD, seed=seed, epoch=number
    )
    return list(batches)


def real_rows(batch: dict) -> list[int]:
    return batch["labels"][batch["weights"] == 1].tolist()


@given(lengths_lists, batch_sizes, bucket_tuples)
@settings(max_examples=60, deadline=None)
def test_training_sees_every_row_once(lengths, batch_size, buckets):
    batches = epoch(encode_lengths(lengths), batch_size, buckets)
    rows = [row for batch in batches for row in real_rows(batch)]
    assert sorted(rows) == list(range(len(lengths)))
    assert len(batches) == num_batches(encode_lengths(lengths), batch_size)
    for batch in batches[:-1]:
        assert batch["weights"].tolist() == [1.0] * batch_size


@given(lengths_lists, batch_sizes, bucket_tuples)
@settings(max_examples=60, deadline=None)
def test_evaluation_sees_every_row_once(lengths, batch_size, buckets):
    encoded = encode_lengths(lengths)
    outputs = np.full(len(lengths), -1)
    seen = 0
    for rows, batch in eval_batches(encoded, batch_size=batch_size, buckets=buckets, pad_id=PAD):
        assert real_rows(batch) == rows.tolist()
        assert batch["weights"].tolist() == [1.0] * len(rows) + [0.0] * (batch_size - len(rows))
        outputs[rows] = batch["labels"][: len(rows)]
        seen += len(rows)
    assert outputs.tolist() == list(range(len(lengths)))
    assert seen == len(lengths)


@given(lengths_lists, batch_sizes, bucket_tuples)
@settings(max_examples=60, deadline=None)
def test_batches_hold_their_rows_and_padding_only(lengths, batch_size, buckets):
    for batch in epoch(encode_lengths(lengths), batch_size, buckets):
        bucket = batch["input_ids"].shape[1]
        assert bucket in buckets
        for name in ("input_ids", "attention_mask", "token_type_ids"):
            assert batch[name].shape == (batch_size, bucket)
            assert batch[name].dtype == np.int32
        assert batch["labels"].shape == batch["weights"].shape == (batch_size,)
        assert batch["weights"].dtype == np.float32
        for place, row in enumerate(batch["labels"]):
            length = lengths[row]
            padding = bucket - length
            assert batch["input_ids"][place].tolist() == [100 + row] * length + [PAD] * padding
            assert batch["attention_mask"][place].tolist() == [1] * length + [0] * padding
            assert batch["token_type_ids"][place].tolist() == [row % 2] * length + [0] * padding


@given(lengths_lists, batch_sizes, bucket_tuples)
@settings(max_examples=60, deadline=None)
def test_rows_use_a_longer_bucket_only_to_fill_batches(lengths, batch_size, buckets):
    """In each bucket fewer rows than a batch are shorter than it needs, in one batch at most."""
    mixed = dict.fromkeys(buckets, 0)
    for batch in epoch(encode_lengths(lengths), batch_size, buckets):
        bucket = batch["input_ids"].shape[1]
        own = [min(b for b in buckets if b >= lengths[row]) for row in real_rows(batch)]
        assert max(own) == bucket
        mixed[bucket] += min(own) < bucket
    assert max(mixed.values()) <= 1


@given(lengths_lists, batch_sizes, bucket_tuples)
@settings(max_examples=40, deadline=None)
def test_shapes_are_the_same_in_all_epochs_and_in_evaluation(lengths, batch_size, buckets):
    encoded = encode_lengths(lengths)
    shapes = [
        sorted(batch["input_ids"].shape for batch in epoch(encoded, batch_size, buckets, seed=seed))
        for seed in range(3)
    ]
    evaluation = eval_batches(encoded, batch_size=batch_size, buckets=buckets, pad_id=PAD)
    shapes.append(sorted(batch["input_ids"].shape for _, batch in evaluation))
    assert all(some == shapes[0] for some in shapes)
    used = buckets_used(encoded, batch_size, buckets)
    assert used == tuple(sorted({length for _, length in shapes[0]}))


def test_epoch_depends_on_seed_and_number_only():
    encoded = encode_lengths([3] * 40)
    orders = {
        key: [real_rows(batch) for batch in epoch(encoded, 4, (4,), *key)]
        for key in [(0, 0), (0, 1), (1, 0), (1, 1)]
    }
    again = [real_rows(batch) for batch in epoch(encoded, 4, (4,), 1, 0)]
    assert again == orders[1, 0]
    assert len({str(order) for order in orders.values()}) == 4


def test_batches_of_all_lengths_are_mixed():
    """Long batches do not always come last, where the learning rate is low."""
    encoded = encode_lengths([3] * 64 + [30] * 64)
    shapes = [batch["input_ids"].shape[1] for batch in epoch(encoded, 4, (4, 32))]
    assert shapes != sorted(shapes)


def test_order_of_shapes_is_the_same_for_all_seeds():
    """One program steps through the batches of several seeds, whose rows differ."""
    encoded = encode_lengths([3] * 30 + [30] * 31)

    def shapes(seed, number):
        batches = epoch(encoded, 4, (4, 32), seed, number)
        return [batch["input_ids"].shape[1] for batch in batches]

    assert shapes(0, 0) == shapes(1, 0) == shapes(2, 0)
    assert shapes(0, 0) != shapes(0, 1)


def test_batches_differ_between_epochs():
    encoded = encode_lengths([3] * 40)
    partners = [
        {frozenset(real_rows(batch)) for batch in epoch(encoded, 4, (4,), number=number)}
        for number in range(2)
    ]
    assert not partners[0] & partners[1]


@given(lengths_lists, batch_sizes, bucket_tuples)
@settings(max_examples=40, deadline=None)
def test_seed_does_not_change_the_sequence_of_shapes(lengths, batch_size, buckets):
    encoded = encode_lengths(lengths)
    for number in range(2):
        sequences = [
            [
                batch["input_ids"].shape
                for batch in epoch(encoded, batch_size, buckets, seed, number)
            ]
            for seed in range(3)
        ]
        assert sequences[0] == sequences[1] == sequences[2]


def encode_words(sizes: list[list[int]]) -> Encoded:
    """Sentences of words of so many tokens each; 0 is a word without a token."""
    places, ids = [], []
    for words in sizes:
        ends = np.cumsum(words)
        places.append(np.where(np.array(words) > 0, ends, -1).astype(np.int32))
        ids.append(np.arange(ends[-1] + 2, dtype=np.int32))
    labels = np.arange(sum(map(len, sizes)), dtype=np.int32) + 100
    rows = Ragged.from_rows(ids)
    return Encoded(rows, rows, labels, word_positions=Ragged.from_rows(places))


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=20),
    batch_sizes,
)
@settings(max_examples=60, deadline=None)
def test_each_word_has_its_label_at_its_token_once(sizes, batch_size):
    encoded = encode_words(sizes)
    words = [(row, word) for row, row_sizes in enumerate(sizes) for word in range(len(row_sizes))]
    seen = []
    for rows, batch in eval_batches(encoded, batch_size=batch_size, buckets=(8, 20), pad_id=PAD):
        assert batch["labels"].shape == batch["weights"].shape == batch["input_ids"].shape
        assert set(np.unique(batch["weights"])) <= {0.0, 1.0}
        for place, token in np.argwhere(batch["weights"] == 1):
            unit = batch["labels"][place, token] - 100
            row, word = words[unit]
            assert row == rows[place]
            assert token == sum(sizes[row][: word + 1])
            seen.append(unit)
    assert sorted(seen) == [unit for unit, (row, word) in enumerate(words) if sizes[row][word]]


def test_evaluation_keeps_the_order_of_rows():
    batches = eval_batches(encode_lengths([3, 9, 3, 3]), batch_size=2, buckets=(4, 16), pad_id=PAD)
    assert [(rows.tolist(), batch["input_ids"].shape) for rows, batch in batches] == [
        ([0, 2], (2, 4)),
        ([3, 1], (2, 16)),
    ]


def test_targets_stay_float32():
    encoded = encode_lengths([3, 3, 3])._replace(labels=np.float32([0.5, 1.5, 2.5]))
    labels = [batch["labels"] for batch in epoch(encoded, 2, (4,))]
    assert all(some.dtype == np.float32 for some in labels)


def test_padding_rows_are_copies_of_weight_zero():
    (batch,) = epoch(encode_lengths([3, 2]), 5, (4,))
    assert batch["weights"].tolist() == [1, 1, 0, 0, 0]
    assert (batch["attention_mask"].sum(axis=1) > 0).all()
    assert batch["labels"][2:].tolist() == [*batch["labels"][:2].tolist(), batch["labels"][0]]


def test_no_rows_make_no_batches():
    assert epoch(encode_lengths([]), 4, (8,)) == []
    assert num_batches(encode_lengths([]), 4) == 0


def test_bucket_of_the_exact_length_holds_a_row():
    assert buckets_used(encode_lengths([16, 16]), 2, (16, 32)) == (16,)
    assert buckets_used(encode_lengths([17, 17]), 2, (16, 32)) == (32,)


@pytest.mark.parametrize(
    ("batch_size", "buckets", "message"),
    [
        (0, (16,), r"batch_size: expected at least 1, got 0"),
        (2, (), r"buckets: expected ascending lengths, got \(\)"),
        (2, (16, 8), r"buckets: expected ascending lengths, got \(16, 8\)"),
        (2, (16, 16), r"buckets: expected ascending lengths"),
        (2, (0, 16), r"buckets: expected ascending lengths"),
        (2, (4, 8), r"holds a row of 9 tokens, got \(4, 8\); .*max_length to 8"),
    ],
)
def test_bad_batches_are_refused_before_the_first(batch_size, buckets, message):
    encoded = encode_lengths([3, 9])
    with pytest.raises(InputError, match=message):
        train_batches(encoded, batch_size=batch_size, buckets=buckets, pad_id=0, seed=0, epoch=0)
    with pytest.raises(InputError, match=message):
        eval_batches(encoded, batch_size=batch_size, buckets=buckets, pad_id=0)
