import numpy as np
import pandas as pd
import pytest

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import load_task, read_token_file

NER = "Ann B-PER\nLee I-PER\n\nin O\nRome B-LOC\n"
CONLLU = """# text = It's late
1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_
1\tIt\tit\tPRON\tPRP\t_\t_\t_\t_\t_
2\t's\tbe\tAUX\tVBZ\t_\t_\t_\t_\t_
2.1\tquite\t_\tADV\t_\t_\t_\t_\t_\t_
3\tlate\tlate\tADJ\tJJ\t_\t_\t_\t_\t_

# text = Yes
1\tYes\tyes\tINTJ\tUH\t_\t_\t_\t_\t_
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n \t\n"])
def test_two_columns_are_tokens_and_tags(write, ending, gap):
    text = f"-DOCSTART- O\n\nAnn B-PER\nLee\t I-PER \n{gap}in O\nRome B-LOC".replace("\n", ending)
    for name in ("a.conll", "a.txt"):
        frame = read_token_file(write(**{name.replace(".", "_"): text}) / name).frame
        assert frame["token"].tolist() == [("Ann", "Lee"), ("in", "Rome")]
        assert frame["tag"].tolist() == [("B-PER", "I-PER"), ("O", "B-LOC")]


def test_more_columns_are_named_by_position(write):
    frame = read_token_file(write(a_conll="EU NNP B-NP B-ORG\n") / "a.conll").frame
    assert frame.columns.tolist() == ["token", "2", "3", "tag"]
    assert frame["2"].tolist() == [("NNP",)]


# As in MultiCoNER, whose comments have the columns of a token.
COMMENTED = """# id 11aa22bb\tdomain=en
ann _ _ B-PER
# a remark of any number of columns, in the middle of a sentence
sleeps _ _ O

# one two three
#
# id 33cc44dd\tdomain=en
yes _ _ O
#yes of course
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_comment_lines_are_skipped_and_counted(write, ending):
    table = read_token_file(write(a_conll=COMMENTED.replace("\n", ending)) / "a.conll")
    assert table.frame["token"].tolist() == [("ann", "sleeps"), ("yes",)]
    assert table.frame["tag"].tolist() == [("B-PER", "O"), ("O",)]
    assert [note.split(": ")[1] for note in table.notes] == ["skipped 6 comment lines"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("# newdoc\na O\n# O\nb B-X\n", ("a", "#", "b")),
        ("# O\na O\n# newdoc\n#b O\n#c HT\n", ("#", "a", "#b", "#c")),
        ("# text = a\na DT\n# #\n5 CD\n", ("a", "#", "5")),
        ("# id 5\na\n#b\n#\n", ("a", "#b", "#")),
    ],
)
def test_hash_is_a_token_in_a_line_of_full_columns(write, text, tokens):
    table = read_token_file(write(a_txt=text) / "a.txt")
    assert table.frame["token"].tolist() == [tokens]
    assert [note.split(": ")[1] for note in table.notes] == ["skipped 1 comment lines"]


def test_comment_lines_of_tsv_are_skipped_and_counted(write):
    text = "# made by hand\ntoken\ttag\n# id 7\na\tO\n \n# id 8\tdomain=en\n#\tO\n# b\tO\n"
    table = read_token_file(write(a_tsv=text) / "a.tsv")
    assert table.frame["token"].tolist() == [("a",), ("#", "# b")]
    assert [note.split(": ")[1] for note in table.notes] == ["skipped 3 comment lines"]


def test_conllu_skips_and_counts_ranges_and_empty_nodes(write):
    table = read_token_file(write(a_conllu=CONLLU) / "a.conllu")
    assert table.frame["form"].tolist() == [("It", "'s", "late"), ("Yes",)]
    assert table.frame["upos"].tolist() == [("PRON", "AUX", "ADJ"), ("INTJ",)]
    assert [note.split(": ")[1] for note in table.notes] == [
        "skipped 1 multiword ranges and 1 empty nodes"
    ]


def test_tsv_takes_tokens_literally(write):
    text = 'token\ttag\n \tO\n"\tO\n\xa0x\u2028 \tB-X\n\na b\tO\n'
    frame = read_token_file(write(a_tsv=text) / "a.tsv").frame
    assert frame["token"].tolist() == [(" ", '"', "\xa0x\u2028 "), ("a b",)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a_conll": "a O\nb\n"}, r"line 2: expected 2 columns \(token, tag\), got 1"),
        ({"a_tsv": "token\ttag\na\tO\n\nb\tO\tO\n"}, r"line 4: expected 2 columns"),
        ({"a_conllu": "1\ta\n"}, r"line 1: expected 10 columns \(id, form, lemma,"),
        ({"a_conllu": "x" + "\t_" * 9}, r"line 1: expected the number of a word.* got 'x'"),
        ({"a_tsv": "token\ttoken\na\tO\n"}, r"expected different column names"),
        ({"a_tsv": "token\ttag\n\n"}, r"expected at least one token"),
        ({"a_conll": ""}, r"expected at least one token"),
        ({"a_csv": "a"}, r"a file of words that ends in .tsv or .conll or .txt or .conllu or"),
    ],
)
def test_broken_token_files_are_refused_by_line(write, files, message):
    (name,) = files
    with pytest.raises(InputError, match=message) as raised:
        read_token_file(write(**files) / name.replace("_", "."))
    assert "\n" not in str(raised.value)


def load(folder, **settings):
    return load_task(TaskConfig(**{"kind": "tokens", "path": str(folder), **settings}))


def test_folder_of_words_is_a_task(write):
    task, splits, _ = load(write(train_conll=NER, dev_txt=NER, test_tsv="token\ttag\nAnn\tO\n"))
    assert (task.text, task.label, task.labels) == (
        ("token",),
        "tag",
        ("B-LOC", "B-PER", "I-PER", "O"),
    )
    assert splits["train"].texts == [("Ann", "Lee"), ("in", "Rome")]
    assert splits["train"].labels.tolist() == [1, 2, 3, 0]
    assert splits["test"].labels.tolist() == [3]


def test_sentences_keep_their_labels_when_drawn(write):
    """The label of a word is the word, so that a shift would show."""
    random = np.random.default_rng(0)
    words = [[str(word) for word in random.integers(9, size=size + 1)] for size in range(20)]
    text = "\n\n".join("\n".join(f"{word} {word}" for word in one) for one in words)
    splits = load(write(train_conll=text), holdout=0.3, labels=tuple("012345678")).splits
    assert sorted(len(some.texts) for some in splits.values()) == [6, 14]
    for split in splits.values():
        assert split.labels.tolist() == [int(word) for one in split.texts for word in one]


def test_lists_of_class_ids_become_sorted_labels(tmp_path):
    frame = pd.DataFrame({"tokens": [["a", "b"], ["c"]], "ner_tags": [[10, 9], [10]]})
    for split in ("train", "dev"):
        frame.to_parquet(tmp_path / f"{split}.parquet")
    task, splits, _ = load(tmp_path, text=("tokens",), label="ner_tags")
    assert task.labels == ("9", "10")
    assert splits["dev"].labels.tolist() == [1, 0, 1]


def test_tags_without_a_beginning_are_reported(write):
    orphans = "Ann I-PER\n\nin O\nRome I-LOC\nLee B-PER\n"
    loaded = load(
        write(train_conll=NER + "\n" + orphans, dev_conll="Bo B-PER\n"),
        metric="entity_f1",
        labels=("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    )
    (note,) = loaded.notes
    assert note.startswith("split train: 2 entities begin with I- instead of B-;")


def test_skipped_lines_are_reported(write):
    folder = write(train_conllu=CONLLU, dev_conllu=CONLLU.replace("late", "early"))
    notes = load(folder, name="ud_pos").notes
    assert [note.split("/")[-1].split(":")[0] for note in notes] == [
        "train.conllu",
        "dev.conllu",
        "split dev",  # its second sentence is a training row
    ]


LONG = '{"tokens": ["a", "b"], "tags": ["x", "y", "x"]}\n'


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({"train_jsonl": LONG}, {}, r"row 1: expected one label in column 'tags' for each of 2"),
        ({"train_jsonl": '{"tokens": "a b", "tags": "x"}\n'}, {}, r"row 1: expected a list of"),
        (
            {"train_jsonl": '{"tokens": ["a", ""], "tags": ["x", "y"]}\n'},
            {},
            r"row 1 word 2: .* a word",
        ),
        ({"train_jsonl": '{"tokens": ["a"], "tags": [null]}\n'}, {}, r"row 1 word 1: .* a label"),
        (
            {"train_jsonl": '{"tokens": [], "tags": []}\n'},
            {"labels": ("x", "y")},
            r"one word in col",
        ),
        (
            {"train_conll": NER, "dev_conll": "Ann B-ORG\n"},
            {},
            r"dev.conll row 1 word 1: .*'B-ORG'",
        ),
        ({"train_conll": "a X\nb Y\n", "dev_conll": "a X\n"}, {"metric": "entity_f1"}, r"has 'X'"),
        ({"train_conll": "a X\nb X\n", "dev_conll": "a X\n"}, {}, r"at least two labels"),
        ({"train_conll": NER}, {"text": ("token", "tag")}, r"expected one column of words"),
        ({"train_conll": NER}, {"metric": "f1"}, r"accuracy, entity_f1, entity_f1_strict for tok"),
        ({"train_csv": "a,b\n"}, {}, r"expected one of train.tsv, train.conll"),
    ],
)
def test_malformed_token_rows_are_refused(write, files, settings, message):
    with pytest.raises(InputError, match=message) as raised:
        load(write(**files), **settings)
    assert "\n" not in str(raised.value)
