"""New names for labels, and hints at what a file or its labels seem to be."""

import pandas as pd
import pytest

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import Table, load_labeled, load_task
from maskjax.tasks.renames import find_renames, rename_labels, stored_renames

RAW = "text\tlabel\nw\t0\nx\t1\ny\t1\nz\t0\n"
RENAMED = ("0=anger", "1=joy")


def write_both(write, content, **files):
    return str(write(train_tsv=content, dev_tsv=content, **files))


def test_labels_are_renamed_in_every_split(write):
    folder = write_both(write, RAW, test_tsv="text\tlabel\nv\t1.0\n")
    loaded = load_task(TaskConfig(path=folder, labels=RENAMED))
    assert loaded.task.labels == ("anger", "joy")
    assert loaded.splits["train"].labels.tolist() == [0, 1, 1, 0]
    assert loaded.splits["test"].labels.tolist() == [1]


def test_labels_have_the_order_of_the_renames(write):
    config = TaskConfig(path=write_both(write, RAW), labels=("1=joy", "0=anger"))
    loaded = load_task(config)
    assert loaded.task.labels == ("joy", "anger")
    assert loaded.splits["train"].labels.tolist() == [1, 0, 0, 1]


def test_rows_to_score_may_have_either_spelling(write):
    config = TaskConfig(path=write_both(write, RAW), labels=RENAMED)
    task = load_task(config).task
    write(new_csv="text,label\na,joy\nb,anger\n", raw_csv="text,label\na,1\nb,0\n")
    for name in ("new", "raw"):
        rows = load_labeled(task, config, path=f"{config.path}/{name}.csv").splits[name]
        assert rows.labels.tolist() == [1, 0]


def test_the_positive_class_may_be_named_by_its_key(write):
    for positive in ("0", "anger"):
        config = TaskConfig(
            path=write_both(write, RAW), labels=RENAMED, metric="f1", positive=positive
        )
        assert load_task(config).task.positive_id == 0


def test_labels_with_equals_signs_are_not_renames(write):
    folder = write_both(write, "text\tlabel\nx\ta=b\ny\tc=d\n")
    assert load_task(TaskConfig(path=folder, labels=("c=d", "a=b"))).task.labels == ("c=d", "a=b")
    renamed = load_task(TaskConfig(path=folder, labels=("a=b=first", "c=d=second"))).task
    assert renamed.labels == ("first", "second")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("0=anger", "7=joy"), "'7' of '7=joy' is no label of the data; .*, which are 0, 1"),
        (("0=anger", "1=joy", "2=rest"), "'2' of '2=rest' is no label of the data; .* 0, 1"),
        (("0=anger", "joy"), "'joy' of 'joy' is no label of the data"),
        (("7=anger", "8=joy"), "expected a label out of 7=anger, 8=joy"),
        (("0=", "1=joy"), "expected a name after 0="),
        (("0=same", "1=same"), "expected different names, got same"),
    ],
)
def test_wrong_renames_are_refused(write, labels, message):
    with pytest.raises(InputError, match=message):
        load_task(TaskConfig(path=write_both(write, RAW), labels=labels))


def test_labels_that_look_like_renames_are_kept():
    """Data may have both the label a and the label a=b, and need not have every name."""
    assert find_renames(("a=b", "a", "c"), {"a=b", "a", "c"}) == {}
    assert find_renames(("a=b", "c=d", "e"), {"a=b", "a"}) == {}
    with pytest.raises(InputError, match="'e' of 'e=f' is no label of the data"):
        find_renames(("a=b", "e=f"), {"a", "c"})


def test_words_and_declared_names_are_renamed():
    frame = pd.DataFrame({"tags": [["B", "O"], None], "class": pd.Categorical(["no", "yes"])})
    table = Table("x", frame, declared=("O", "B"))
    tags = rename_labels(table, "tags", {"O": "other", "B": "begin"})
    assert tags.frame["tags"].tolist() == [["begin", "other"], None]
    assert tags.declared == ("other", "begin")
    swapped = rename_labels(table, "class", {"no": "yes", "yes": "no"})
    assert swapped.frame["class"].tolist() == ["yes", "no"]
    assert rename_labels(table, "none", {"a": "b"}) is table


def test_renames_of_a_run_are_recovered():
    assert stored_renames(RENAMED, ("anger", "joy")) == {"0": "anger", "1": "joy"}
    assert stored_renames(("a=b", "c=d"), ("a=b", "c=d")) == {}
    assert stored_renames((), ("a", "b")) == {}
    assert find_renames((), {"a"}) == {}


@pytest.mark.parametrize(
    ("name", "content", "mark"),
    [
        ("train_csv", "text;label\nx;0\ny;1\n", "';'"),
        ("train_csv", "text;label\nx, or so;0\ny;1\n", "';'"),
        ("train_csv", "text\tlabel\nx\t0\ny\t1\n", r"'\\t'"),
        ("train_tsv", "text,label\nx,0\ny,1\n", "','"),
    ],
)
def test_a_file_with_another_separator_is_recognized(write, name, content, mark):
    folder = write(**{name: content})
    with pytest.raises(InputError, match=f"its cells seem to be separated by {mark}: save it as"):
        load_task(TaskConfig(path=str(folder), holdout=0.5))


def test_numbers_as_labels_hint_at_regression(write):
    numbers = "text\tlabel\nw\t0.25\nx\t3\ny\t1.5\nz\t3\n"
    hint = "predicts numbers"
    assert any(
        hint in note for note in load_task(TaskConfig(path=write_both(write, numbers))).notes
    )
    assert not any(
        hint in note for note in load_task(TaskConfig(path=write_both(write, RAW))).notes
    )
    whole = RAW.replace("\t1", "\t1.0")
    assert not any(
        hint in note for note in load_task(TaskConfig(path=write_both(write, whole))).notes
    )
    folder = write(train_tsv=numbers, dev_tsv="text\tlabel\nx\t2.75\n")
    with pytest.raises(InputError, match=r"or predict numbers with --task.kind regression"):
        load_task(TaskConfig(path=str(folder)))
