"""Which spellings of labels are one class, and which stand for no label."""

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import Table, Task, load_labeled, load_task, read_file, read_labeled_part
from maskjax.tasks.spelling import LabelIndex, spell
from maskjax.tasks.validation import label_names, read_split


def table(labels: list, texts: list | None = None) -> Table:
    rows = {"text": texts or [f"text {row}" for row in range(len(labels))], "label": labels}
    return Table("rows.csv", pd.DataFrame(rows, dtype=object))


def class_ids(labels: list, kind="classification") -> tuple[tuple[str, ...], list[int]]:
    texts = [("a",) * len(tags) for tags in labels] if kind == "tokens" else None
    rows = table(labels, texts)
    names = label_names(rows, "label", kind)
    return names, read_split(rows, Task(name="t", kind=kind, labels=names)).labels.tolist()


@pytest.mark.parametrize(
    ("labels", "names", "ids"),
    [
        (["pos", " pos", "pos\t", "neg\u3000"], ("neg", "pos"), [1, 1, 1, 0]),
        ([1, "0", 1.0, "1", "1.0", "0.0"], ("0", "1"), [1, 0, 1, 1, 1, 0]),
        (["1.0", "0.0", "1.0"], ("0", "1"), [1, 0, 1]),
        ([1.0, 0.0, -2.0], ("-2", "0", "1"), [2, 1, 0]),
        ([1.0, 0.5, 1.0], ("0.5", "1.0"), [1, 0, 1]),  # beside fractions, as the data spells it
        (["1.0", "x"], ("1.0", "x"), [0, 1]),
        ([10.0, 9, "9"], ("9", "10"), [1, 0, 0]),
        ([-2, "-2.0", -1, 0.5, "0.5"], ("-2", "-1", "0.5"), [0, 0, 1, 2, 2]),
        ([True, "True", "true", False, "FALSE"], ("False", "True"), [1, 1, 1, 0, 0]),
        (["true", "false"], ("false", "true"), [1, 0]),
        ([Decimal("1.00"), np.int64(1), np.float32(2), 2], ("1", "2"), [0, 0, 1, 1]),
        (["a", "A", "a b", "a-b"], ("A", "a", "a b", "a-b"), [1, 0, 2, 3]),
    ],
)
def test_spellings_of_one_class_are_unified(labels, names, ids):
    assert class_ids(labels) == (names, ids)
    tags = [[label] for label in labels]
    assert class_ids(tags, "tokens") == (names, ids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "01"),
        (1, "1.00"),
        ("1.5", "1.50"),
        (0.5, ".5"),
        ("10", "1e1"),
        ("1000", "1,000"),
        ("1", "+1"),
        ("1", True),
        ("not ok", "not  ok"),
        ("not ok", "not\xa0ok"),
        ("not ok", "notok"),
        ("ok", "ok\u200b"),
        ("\ufeffok", "ok"),
        ("caf\xe9", "cafe\u0301"),
        (10**17, 1e17),
    ],
)
def test_uncertain_spellings_are_refused_with_both(one, other):
    message = r"rows.csv row 3: label .* of rows.csv row 1 in white space, Unicode form or number"
    with pytest.raises(InputError, match=message) as raised:
        label_names(table([one, "x", other, one]), "label")
    assert repr(spell(one)) in str(raised.value)
    assert repr(spell(other)) in str(raised.value)
    names = (spell(one), spell(other), "x")
    split = read_split(table([one, "x", other]), Task(name="t", labels=names))
    assert split.labels.tolist() == [0, 2, 1]  # named, they are two classes


def test_uncertain_tag_names_its_words():
    rows = table([["a", "b"], ["x", "a\u200b"]], [("w", "w"), ("w", "w")])
    message = r"rows.csv row 2 word 2: label 'a\\u200b' .* 'a' of rows.csv row 1 word 1 in white"
    with pytest.raises(InputError, match=message):
        label_names(rows, "label", "tokens")


def test_uncertain_spelling_in_another_split_is_refused_with_both():
    task = Task(name="t", labels=tuple(map(str, range(40))))
    with pytest.raises(InputError, match=r"rows.csv row 2: label '030' .*differs from '30' in"):
        read_split(table(["30.0", "030"]), task)


def test_categories_of_parquet_are_unified():
    labels = pd.Categorical(["b", " b", "a"], categories=["b", "a", " b"])
    rows = Table("rows.parquet", pd.DataFrame({"text": list("xyz"), "label": labels}))
    names = label_names(rows, "label")
    assert names == ("b", "a")
    assert read_split(rows, Task(name="t", labels=names)).labels.tolist() == [0, 0, 1]


def test_spellings_are_unified_across_files(write):
    """pandas writes a column of integers as floats once a value is missing."""
    pd.DataFrame({"text": ["x", "y"], "label": [0, 1]}).to_csv(write() / "train.csv", index=False)
    frame = pd.DataFrame({"text": ["z", "w", "v"], "label": [1, 0, None]})
    folder = write(dev_csv=frame.dropna().to_csv(index=False))
    assert "1.0" in (folder / "dev.csv").read_text()
    loaded = load_task(TaskConfig(path=str(folder)))
    assert loaded.task.labels == ("0", "1")
    assert loaded.splits["dev"].labels.tolist() == [1, 0]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("old", [False, True])
def test_whole_floats_are_integers(tmp_path, suffix, old):
    """This holds for training, rows to score, and runs trained with the names 0.0 and 1.0."""
    for split in ("train", "dev"):
        write_rows(tmp_path / f"{split}{suffix}", [0.0, 1.0], [f"{split} 0", f"{split} 1"])
    config = TaskConfig(path=str(tmp_path), labels=("0.0", "1.0") if old else ())
    loaded = load_task(config)
    assert loaded.task.labels == (("0.0", "1.0") if old else ("0", "1"))
    assert loaded.splits["dev"].labels.tolist() == [0, 1]
    for labels in ([1.0, 0.0], [1, 0], ["1", "0"]):
        file = tmp_path / f"new{suffix}"
        write_rows(file, labels, ["a", "b"])
        rows = load_labeled(loaded.task, config, path=file).splits["new"]
        assert rows.labels.tolist() == [1, 0]
        table = read_file(file, "classification")
        _, rows = read_labeled_part(loaded.task, config, table)
        assert rows.labels.tolist() == [1, 0]


def test_label_index_finds_exact_and_stripped_names():
    index = LabelIndex(("1", "1.0", " a"))
    assert [index.find(name) for name in ("1", "1.0", "a", "b")] == [0, 1, 2, None]


WITHHELD = ["", None, -1, "-1", " -1", "-1.0", -1.0, "null", "NaN", "n/a"]
CLASSES = ["0", "1"]


def write_rows(path, labels: list, texts: list) -> None:
    """Writes labels as each format can hold them."""
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "label": labels})
    if path.suffix == ".jsonl":
        rows = zip(texts, labels, strict=True)
        lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
        path.write_text("\n".join(lines))
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        frame.to_csv(path, sep=separator, index=False)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("label", WITHHELD)
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_withheld_labels_leave_a_split_out(tmp_path, suffix, label, kind):
    given = {"train": CLASSES, "dev": CLASSES, "test": [label, label]}
    for split, labels in given.items():
        texts = [f"{split} {row}" for row in range(2)]
        write_rows(tmp_path / f"{split}{suffix}", labels, texts)
    loaded = load_task(TaskConfig(path=str(tmp_path), kind=kind))
    assert loaded.splits.keys() == {"train", "dev"}
    assert loaded.notes == (
        f"split test is left out: all labels of {tmp_path / f'test{suffix}'} are withheld",
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "tags", [None, [], [-1, -1], [None, None], ["", "-1"], [-100, -1], ["-100", "-100.0"]]
)
def test_withheld_tags_leave_a_split_out(tmp_path, suffix, tags):
    given = {"train": [["O", "B"]], "dev": [["O", "B"]], "test": [tags, tags]}
    for split, labels in given.items():
        texts = [[split, str(row)] for row in range(len(labels))]
        write_rows(tmp_path / f"{split}{suffix}", labels, texts)
    loaded = load_task(TaskConfig(path=str(tmp_path), kind="tokens", text=("text",), label="label"))
    assert loaded.splits.keys() == {"train", "dev"}
    assert loaded.notes[0].startswith("split test is left out: all labels of")


def test_withheld_column_tags_leave_the_split_out(write):
    rows = "token\ttag\na\tO\nb\tB\n"
    folder = write(train_tsv=rows, dev_tsv=rows, test_tsv="token\ttag\na\t\nb\t\n")
    loaded = load_task(TaskConfig(path=str(folder), kind="tokens"))
    assert loaded.splits.keys() == {"train", "dev"}


def test_withheld_joined_labels_leave_the_split_out(write):
    rows = "text,coarse,fine\nx,a,1\ny,b,2\n"
    for test in ("x,-1,-1\n", "x,,\n"):
        folder = write(train_csv=rows, dev_csv=rows, test_csv=f"text,coarse,fine\n{test}")
        loaded = load_task(TaskConfig(path=str(folder), label="coarse:fine"))
        assert loaded.task.labels == ("a:1", "b:2")
        assert loaded.splits.keys() == {"train", "dev"}


def test_none_and_na_can_be_class_names(write):
    rows = "text\tlabel\nx\tnone\ny\tNA\n"
    folder = write(train_tsv=rows, dev_tsv=rows, test_tsv="text\tlabel\nz\tnone\n")
    loaded = load_task(TaskConfig(path=str(folder)))
    assert loaded.task.labels == ("NA", "none")
    assert loaded.splits["test"].labels.tolist() == [1]


@pytest.mark.parametrize("label", ["", "-1", "-1.0", "n/a"])
def test_test_rows_without_a_label_are_left_out(write, label):
    rows = "text,label\nx,0\ny,1\n"
    test = f"text,label\na,{label}\nb,0\nc,{label}\nd,1\n"
    loaded = load_task(TaskConfig(path=str(write(train_csv=rows, dev_csv=rows, test_csv=test))))
    assert loaded.splits["test"].texts == [("b",), ("d",)]
    assert loaded.splits["test"].labels.tolist() == [0, 1]
    assert "split test: 2 of 4 rows have no label and are left out" in loaded.notes


def test_minus_one_among_other_labels_is_a_class_or_a_number(write):
    rows = "text,label\nx,0\ny,1\nz,-1\n"
    config = TaskConfig(path=str(write(train_csv=rows, dev_csv=rows, test_csv=rows)))
    assert load_task(config).splits["test"].labels.tolist() == [1, 2, 0]
    write(test_csv=f"{rows}w,\n")
    found = load_task(replace(config, kind="regression"))
    assert found.splits["test"].labels.tolist() == [0, 1, -1]
    assert "split test: 1 of 4 rows have no label and are left out" in found.notes


@pytest.mark.parametrize("split", ["train", "dev"])
@pytest.mark.parametrize(("label", "shown"), [("", "''"), ("-1", "'-1'"), ("n/a", "'n/a'")])
def test_withheld_label_in_training_is_refused(write, split, label, shown):
    rows = "text,label\nx,0\ny,1\n"
    files = {"train_csv": rows, "dev_csv": rows, f"{split}_csv": f"{rows}z,{label}\n"}
    message = rf"{split}.csv row 3: expected a label .*got {shown}.*; fill it in or delete the row"
    with pytest.raises(InputError, match=message) as raised:
        load_task(TaskConfig(path=str(write(**files)), labels=("0", "1")))
    assert "--task.labels" not in str(raised.value)


def test_withheld_dev_labels_are_named_as_the_reason(write):
    folder = write(train_csv="text,label\nx,0\ny,1\n", dev_csv="text,label\nx,\n")
    with pytest.raises(InputError, match=r"no dev split .*\(split dev is left out: all labels of"):
        load_task(TaskConfig(path=str(folder)))
