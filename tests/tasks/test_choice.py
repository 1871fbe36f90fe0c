import pytest

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import encode, eval_batches, load_task

HEADER = "q\tmore\te0\te1\te2\tlabel\n"
ROWS = HEADER + "a\tb\tc\td\te\t0\nb\ta\te\td\tc\t2\nc\tc\ta b\ta\td\t1\n"


def load(folder, **settings):
    defaults = {"kind": "choice", "text": ("q",), "choices": ("e0", "e1", "e2")}
    return load_task(TaskConfig(path=str(folder), **{**defaults, **settings}))


def test_each_ending_follows_the_first_text(write):
    task, splits, _ = load(write(train_tsv=ROWS, dev_tsv=ROWS))
    assert (task.num_outputs, task.metric) == (3, "accuracy")
    assert splits["dev"].texts == [
        ("a", "c", "d", "e"),
        ("b", "e", "d", "c"),
        ("c", "a b", "a", "d"),
    ]
    assert splits["dev"].labels.tolist() == [0, 2, 1]


def test_second_text_begins_each_ending(write):
    split = load(write(train_tsv=ROWS, dev_tsv=ROWS), text=("q", "more")).splits["dev"]
    assert split.texts[0] == ("a", "b c", "b d", "b e")


def test_choices_of_a_row_are_adjacent_in_a_batch(write, bert_tokenizer):
    split = load(write(train_tsv=ROWS, dev_tsv=ROWS)).splits["dev"]
    encoded = encode(split, bert_tokenizer, max_length=8)
    assert (encoded.rows, encoded.choices, encoded.lengths.tolist()) == (3, 3, [5, 5, 6])
    batches = list(eval_batches(encoded, batch_size=2, buckets=(5, 8), pad_id=0))
    assert [(rows.tolist(), batch["input_ids"].shape) for rows, batch in batches] == [
        ([0, 1], (6, 5)),
        ([2], (6, 8)),
    ]
    for rows, batch in batches:
        assert batch["labels"].shape == batch["weights"].shape == (2,)
        for place, row in enumerate(rows):
            first, *endings = split.texts[row]
            for choice, ending in enumerate(endings):
                ids = batch["input_ids"][3 * place + choice]
                mask = batch["attention_mask"][3 * place + choice]
                expected = bert_tokenizer(first, ending)
                assert ids[mask == 1].tolist() == expected["input_ids"]
    assert batches[1][1]["weights"].tolist() == [1, 0]


def test_row_with_a_long_choice_is_cut_once(write, bert_tokenizer):
    split = load(write(train_tsv=ROWS, dev_tsv=ROWS), text=("q", "more")).splits["dev"]
    assert encode(split, bert_tokenizer, max_length=5).truncated == 3


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        (
            {"train_tsv": HEADER + "a\tb\tc\t\te\t0\n"},
            {"labels": ("0", "1", "2")},
            r"row 1: expected text in column 'e1', got",
        ),
        ({"train_tsv": HEADER + "a\tb\tc\td\t0\n"}, {}, r"row 1: expected 6 cells"),
        ({"train_tsv": ROWS}, {"choices": ("e0", "e1", "e3")}, r"no column 'e3'.*--task.choices"),
        ({"train_tsv": ROWS}, {"choices": ("e0", "e1")}, r"one name for each of the 2 choices"),
        ({"train_tsv": ROWS}, {"choices": ("e0",)}, r"two or more texts to choose from, got e0"),
        ({"train_tsv": ROWS}, {"kind": "classification"}, r"expected none for classification"),
    ],
)
def test_malformed_choice_rows_are_refused(write, files, settings, message):
    with pytest.raises(InputError, match=message) as raised:
        load(write(**files), **settings)
    assert "\n" not in str(raised.value)
