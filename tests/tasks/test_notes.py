"""Notes about rows that can be read and look odd."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from maskjax.config import TaskConfig, config_from_dict, config_to_dict
from maskjax.config.config import Config
from maskjax.errors import InputError
from maskjax.inference import score_logits
from maskjax.tasks import load_task


def rows(labels: str, first: int = 0) -> str:
    lines = (f"text {first + row}\t{label}\n" for row, label in enumerate(labels))
    return "text\tlabel\n" + "".join(lines)


def notes(folder, **settings) -> tuple[str, ...]:
    return load_task(TaskConfig(path=str(folder), **settings)).notes


def test_ordinary_rows_have_no_notes(write):
    folder = write(train_tsv=rows("ab"), dev_tsv=rows("ab", 10), test_tsv=rows("ab", 20))
    assert notes(folder, train_rows=2) == ()


@pytest.mark.parametrize(
    ("metric", "said"),
    [("accuracy", True), ("f1", False), ("matthews", False), ("macro_recall", False)],
)
def test_imbalance_is_noted_where_accuracy_is_the_metric(write, metric, said):
    folder = write(train_tsv=rows("a" * 97 + "bbb"), dev_tsv=rows("a" * 19 + "b", 200))
    settings = {"positive": "b"} if metric == "f1" else {}
    expected = (
        "accuracy rewards always predicting one label: 97.0 % 'a' in train; consider --task.metric"
        " f1 or matthews or macro_recall",
    )
    assert notes(folder, metric=metric, **settings) == expected * said


def test_imbalance_of_tags_counts_words_with_labels(write):
    tags = "x\tO\n" * 96 + "x\tB-X\n" * 4 + "x\t-100\n" * 100
    folder = write(train_tsv="token\ttag\n" + tags, dev_tsv="token\ttag\nx\tO\ny\tB-X\n")
    found = notes(folder, kind="tokens")
    assert "96.0 % 'O' in train; consider --task.metric entity_f1 or" in found[0]
    assert "100 of 200 words have the label -100" in found[1]


def test_dev_rows_that_are_training_rows_are_counted(write):
    train = pd.DataFrame({"a": list("xyz"), "b": list("uvw"), "label": list("010")})
    dev = pd.DataFrame({"a": ["x", "x", "y "], "b": ["u", "v", "v"], "label": list("111")})
    folder = write(train_csv=train.to_csv(index=False), dev_csv=dev.to_csv(index=False))
    found = notes(folder, text=("a", "b"), metric="macro_recall")
    assert found == (
        "split dev: 2 of 3 rows have the texts of training rows, so that its score is too good",
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"text": ("label",)}, "column 'label' is both text and label"),
        ({"text": ("copy",)}, "column 'copy', which is read as text, is the same as the labels"),
        ({"label": "text:label"}, "column 'text' is both text and label"),
        ({"text": ("text", "label")}, "column 'label' is both text and label"),
    ],
)
def test_text_column_that_is_the_label_column_is_noted(write, settings, expected):
    folder = write(
        train_csv="text,label,copy\nx,0,0\ny,1, 1\n", dev_csv="text,label,copy\nx,0,2\ny,1,3\n"
    )
    assert expected in notes(folder, **settings)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (-100, "-100 is taken as a class; it is the index that PyTorch ignores"),
        (-1, "-1 is taken as a class; delete its rows if it marks withheld labels"),
    ],
)
def test_class_named_like_an_ignored_label_is_noted(write, label, expected):
    table = f"text,label\nx,0\ny,1\nz,{label}\n"
    folder = write(train_csv=table, dev_csv=table)
    assert sum(expected in note for note in notes(folder)) == 1
    assert not any(expected in note for note in notes(folder, labels=(str(label), "0", "1")))
    assert not any(expected in note for note in notes(folder, kind="regression"))


def test_fewer_rows_than_requested_are_noted(write):
    folder = write(train_tsv=rows("abab"), dev_tsv=rows("ab", 10))
    assert notes(folder, train_rows=1_000) == (
        "--task.train-rows asks for 1,000 rows, all 4 are used",
    )
    assert notes(folder, train_rows=4) == ()


def test_left_out_test_file_is_noted(write):
    folder = write(train_tsv=rows("ab"), dev_tsv=rows("ab", 10), test_tsv="text\nx\n")
    (note,) = notes(folder)
    assert note == f"split test is left out: {folder / 'test.tsv'} has no column 'label'"


def test_files_that_are_not_read_are_noted(write):
    folder = write(train_tsv=rows("ab" * 9), eval_tsv=rows("ab", 10))
    (note,) = notes(folder, holdout=0.5)
    assert note.startswith(
        f"{folder}: not read: eval.tsv; the files of splits are called train, dev"
    )
    with pytest.raises(
        InputError, match=r"no dev split .* \(.*: not read: eval.tsv; .*\); hold out"
    ):
        notes(folder)


def test_positive_class_of_f1_is_taken_by_name(write):
    folder = write(train_tsv=rows("abab"), dev_tsv=rows("ab", 10))
    logits = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    labels = np.random.default_rng(1).integers(2, size=40).astype(np.int32)
    for positive in ("a", "b"):
        config = TaskConfig(path=str(folder), metric="f1", positive=positive)
        task, _, found = load_task(config)
        expected = f1_score(labels, logits.argmax(axis=1), pos_label="ab".index(positive))
        assert score_logits(task, logits, labels) == pytest.approx(expected, abs=1e-12)
        assert found == ()


def test_default_positive_class_of_f1_is_noted(write):
    folder = write(train_tsv=rows("abab"), dev_tsv=rows("ab", 10))
    task, _, (note,) = load_task(TaskConfig(path=str(folder), metric="f1"))
    assert task.positive == "b"
    assert note == "f1 is of the label 'b', the second of a, b; --task.positive names another"


def test_positive_class_is_found_by_another_spelling(write):
    folder = write(train_tsv=rows("0101"), dev_tsv=rows("01", 10))
    config = TaskConfig(path=str(folder), metric="f1", positive="0.0")
    assert load_task(config).task.positive == "0"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"metric": "f1", "positive": "c"},
            "--task.positive: expected one of the labels a, b, got",
        ),
        ({"positive": "a"}, "--task.positive: only f1 has a positive class, .*--task.metric f1"),
        ({"labels": ("a", "b", "\ud83d")}, "--task.labels: expected Unicode, got half of a"),
    ],
)
def test_wrong_label_settings_are_refused(write, settings, message):
    folder = write(train_tsv=rows("abab"), dev_tsv=rows("ab", 10))
    with pytest.raises(InputError, match=message):
        notes(folder, **settings)


def test_positive_class_is_saved_with_the_settings():
    config = Config(task=TaskConfig(metric="f1", positive="yes"))
    assert config_from_dict(config_to_dict(config)) == config
