import numpy as np
import pandas as pd
import pytest

from maskjax.errors import InputError
from maskjax.tasks import Table, Task, read_texts
from maskjax.tasks.validation import label_names, read_split


def table(**columns) -> Table:
    return Table("rows.tsv", pd.DataFrame(columns))


def test_split_holds_class_ids_in_the_order_of_the_labels():
    task = Task(name="t", labels=("yes", "no"))
    split = read_split(table(text=["a", "b", "c"], label=["no", "yes", "no"]), task)
    assert split.texts == [("a",), ("b",), ("c",)]
    assert split.labels.tolist() == [1, 0, 1]
    assert split.labels.dtype == np.int32


def test_regression_split_holds_float32_numbers():
    task = Task(name="t", kind="regression")
    split = read_split(table(text=["a", "b", "c"], label=["0.5", 2, -1e-3]), task)
    assert split.labels.tolist() == np.float32([0.5, 2, -1e-3]).tolist()
    assert split.labels.dtype == np.float32


def test_texts_are_read_unchanged():
    assert read_texts(table(b=[" x "], a=['"y"']), Task(name="t", text=("a", "b"))) == [
        ('"y"', " x ")
    ]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", "b"], ("a", "b")),
        (["10", "9", "2"], ("2", "9", "10")),
        ([1, 0, 1], ("0", "1")),
        ([True, False], ("False", "True")),
        (["10", "9", "x"], ("10", "9", "x")),
        (pd.Categorical(["b", "b"], categories=["b", "a"]), ("b", "a")),
    ],
)
def test_label_names_are_sorted_by_number_or_text(labels, names):
    assert label_names(table(label=labels), "label") == names


@pytest.mark.parametrize("text", ["", " ", "\t\u3000", None, 3])
def test_blank_text_is_named(text):
    with pytest.raises(InputError, match=r"rows.tsv row 2: expected text in column 'text', got"):
        read_texts(table(text=["a", text]), Task(name="t"))


@pytest.mark.parametrize(
    ("task", "rows", "place"),
    [
        (Task(name="t"), {"text": ["a", "b \ud83d"]}, "row 2"),
        (Task(name="t", text=("a", "b")), {"a": ["x", "y"], "b": ["z", "\udcff"]}, "row 2"),
        (Task(name="t", text=("a:b",)), {"a": ["x"], "b": ["\ud83d"]}, "row 1"),
        (Task(name="t", kind="tokens"), {"text": [["a"], ["b", "\ud83d"]]}, "row 2 word 2"),
        (
            Task(name="t", kind="choice", choices=("a", "b")),
            {"text": ["x"], "a": ["y"], "b": ["\ude00\ud83d"]},
            "row 1",
        ),
    ],
)
def test_half_of_a_surrogate_pair_is_named(task, rows, place):
    rows = {name: pd.Series(cells, dtype=object) for name, cells in rows.items()}
    with pytest.raises(InputError, match=rf"rows.tsv {place}: expected Unicode, got half of a s"):
        read_texts(table(**rows), task)


@pytest.mark.parametrize(("kind", "place"), [("classification", "row 2"), ("tokens", "row 2 word")])
def test_half_of_a_surrogate_pair_in_a_label_is_named(kind, place):
    labels = ["a", "\ud83d"] if kind == "classification" else [["a"], ["\ud83d"]]
    rows = table(label=pd.Series(labels, dtype=object))
    with pytest.raises(InputError, match=rf"rows.tsv {place}.*: expected Unicode, got half of"):
        label_names(rows, "label", kind)


@pytest.mark.parametrize("label", ["", "  ", None, float("nan"), [1]])
def test_missing_label_is_named(label):
    with pytest.raises(InputError, match=r"rows.tsv row 2: expected a label in column 'label'"):
        label_names(table(label=["a", label]), "label")


def test_missing_category_is_named():
    labels = pd.Categorical.from_codes(np.array([0, -1]), categories=["a"])
    with pytest.raises(InputError, match=r"rows.tsv row 2: expected a label in column 'label'"):
        read_split(table(text=["a", "b"], label=labels), Task(name="t", labels=("a",)))


def test_other_label_is_named():
    with pytest.raises(InputError, match=r"rows.tsv row 3: expected a label out of a, b.*got 'c'"):
        read_split(
            table(text=["x", "y", "z"], label=["a", "b", "c"]), Task(name="t", labels=("a", "b"))
        )


@pytest.mark.parametrize("label", ["high", "", "nan", "inf", "1e39", None, [1.0]])
def test_bad_number_is_named(label):
    task = Task(name="t", kind="regression")
    with pytest.raises(InputError, match=r"rows.tsv row 2: expected a finite number in column"):
        read_split(table(text=["x", "y"], label=["1.5", label]), task)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            Task(name="t", text=("txt",), labels=("0",)),
            "no column 'txt'.*'text', 'label'.*task.text",
        ),
        (
            Task(name="t", label="lab", labels=("0",)),
            "no column 'lab'.*'text', 'label'.*task.label",
        ),
        (Task(name="t", label="lab", kind="regression"), "no column 'lab'"),
    ],
)
def test_wrong_column_lists_the_columns(task, message):
    with pytest.raises(InputError, match=f"rows.tsv: {message}"):
        read_split(table(text=["x"], label=["0"]), task)
