import numpy as np
import pytest

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import REGISTRY, Entry, Task, load_task, register
from maskjax.tasks.registry import lookup


def rows(count: int, first: int = 0) -> str:
    """A table of distinct texts; its labels are a, b, a, b, ..."""
    lines = [f"text {first + row}\t{'ab'[row % 2]}\n" for row in range(count)]
    return "text\tlabel\n" + "".join(lines)


def texts(split) -> set[str]:
    return {text for (text,) in split.texts}


def test_folder_is_a_task(write):
    folder = write(train_tsv=rows(4), dev_tsv=rows(2), test_tsv=rows(3))
    loaded = load_task(TaskConfig(path=str(folder)))
    assert loaded.task == Task(name=folder.name, labels=("a", "b"))
    assert {name: len(split.texts) for name, split in loaded.splits.items()} == {
        "train": 4,
        "dev": 2,
        "test": 3,
    }
    assert loaded.splits["train"].texts[2:] == [("text 2",), ("text 3",)]
    assert loaded.splits["train"].labels.tolist() == [0, 1, 0, 1]
    assert loaded.selection == "dev"


def test_settings_choose_columns_labels_and_metric(write):
    pairs = "s1\ts2\tgold\nx\ty\tno\nz\tw\tyes\n"
    folder = write(train_tsv=pairs, dev_tsv=pairs)
    config = TaskConfig(
        path=str(folder), text=("s2", "s1"), label="gold", labels=("yes", "no"), metric="f1"
    )
    loaded = load_task(config)
    assert loaded.task.labels == ("yes", "no")
    assert loaded.task.metric == "f1"
    assert loaded.splits["train"].texts == [("y", "x"), ("w", "z")]
    assert loaded.splits["train"].labels.tolist() == [1, 0]


def test_regression_has_pearson_and_no_labels(write):
    folder = write(train_tsv="text\tlabel\nx\t1\ny\t2\n", dev_tsv="text\tlabel\nx\t1\n")
    loaded = load_task(TaskConfig(path=str(folder), kind="regression"))
    assert (loaded.task.metric, loaded.task.labels, loaded.task.num_outputs) == ("pearson", (), 1)
    assert loaded.splits["train"].labels.dtype == np.float32


def test_name_of_a_builtin_task_serves_a_folder_in_its_format(write):
    cola = "sentence\tlabel\nx\t1\ny\t0\n"
    task = load_task(
        TaskConfig(name="glue/cola", path=str(write(train_tsv=cola, dev_tsv=cola)))
    ).task
    assert (task.name, task.text, task.metric) == ("glue/cola", ("sentence",), "matthews")


def test_overridden_kind_changes_the_metric(write):
    numbers = "sentence\tlabel\nx\t0.1\ny\t0.2\n"
    folder = write(train_tsv=numbers, dev_tsv=numbers)
    config = TaskConfig(name="glue/cola", path=str(folder), kind="regression")
    assert load_task(config).task.metric == "pearson"


def test_labels_are_those_of_all_training_rows(write):
    rare = rows(400) + "text rare\tc\n"
    folder = write(train_tsv=rare, dev_tsv=rows(2))
    config = TaskConfig(path=str(folder), train_rows=4)
    assert load_task(config).task.labels == ("a", "b", "c")


def test_test_split_without_labels_is_left_out(write):
    folder = write(train_tsv=rows(4), dev_tsv=rows(2), test_tsv="text\nx\n")
    assert load_task(TaskConfig(path=str(folder))).splits.keys() == {"train", "dev"}


def test_dev_split_without_labels_is_an_error(write):
    folder = write(train_tsv=rows(4), dev_tsv="text\nx\n")
    with pytest.raises(InputError, match=r"dev.tsv: no column 'label'; the columns are 'text'"):
        load_task(TaskConfig(path=str(folder)))


def test_holdout_divides_the_training_rows(write):
    folder = write(train_tsv=rows(50), dev_tsv=rows(2))
    loaded = load_task(TaskConfig(path=str(folder), holdout=0.2))
    train, holdout = texts(loaded.splits["train"]), texts(loaded.splits["holdout"])
    assert (len(train), len(holdout)) == (40, 10)
    assert train | holdout == {f"text {row}" for row in range(50)}
    assert loaded.selection == "holdout"
    assert "dev" in loaded.splits


def test_rows_keep_their_labels_when_drawn(write):
    folder = write(train_tsv=rows(50))
    loaded = load_task(TaskConfig(path=str(folder), holdout=0.3, train_rows=20))
    for split in (loaded.splits["train"], loaded.splits["holdout"]):
        numbers = [int(text.split()[1]) for (text,) in split.texts]
        assert [number % 2 for number in numbers] == split.labels.tolist()
        assert numbers == sorted(numbers) != list(range(len(numbers)))


def test_drawn_rows_depend_on_the_split_seed(write):
    folder = str(write(train_tsv=rows(50)))
    draws = [
        load_task(TaskConfig(path=folder, holdout=0.2, split_seed=seed)).splits["holdout"].texts
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_fewer_rows_are_a_subset_of_more(write):
    folder = str(write(train_tsv=rows(50), dev_tsv=rows(2)))
    drawn = [
        texts(load_task(TaskConfig(path=folder, train_rows=count)).splits["train"])
        for count in (10, 30)
    ]
    assert len(drawn[0]) == 10
    assert drawn[0] < drawn[1]


def test_holdout_is_taken_out_of_the_rows_drawn(write):
    folder = str(write(train_tsv=rows(50)))
    splits = load_task(TaskConfig(path=folder, train_rows=20, holdout=0.25)).splits
    drawn = load_task(TaskConfig(path=folder, train_rows=20, holdout=0.5)).splits
    assert (len(splits["train"].texts), len(splits["holdout"].texts)) == (15, 5)
    assert texts(splits["train"]) | texts(splits["holdout"]) == texts(drawn["train"]) | texts(
        drawn["holdout"]
    )


def test_more_rows_than_exist_draw_all(write):
    folder = write(train_tsv=rows(6), dev_tsv=rows(2))
    assert len(load_task(TaskConfig(path=str(folder), train_rows=99)).splits["train"].texts) == 6


def test_evaluation_rows_are_drawn_by_the_split_seed(write):
    folder = str(write(train_tsv=rows(20), dev_tsv=rows(30, first=90), test_tsv=rows(3, first=80)))
    plain = load_task(TaskConfig(path=folder)).splits
    draws = [
        load_task(TaskConfig(path=folder, eval_rows=8, split_seed=seed)).splits
        for seed in (0, 0, 1)
    ]
    dev = [texts(splits["dev"]) for splits in draws]
    assert dev[0] == dev[1] != dev[2]
    assert len(dev[0]) == 8
    assert dev[0] < texts(plain["dev"])
    assert draws[0]["test"].texts == plain["test"].texts
    assert draws[0]["train"].texts == plain["train"].texts
    with pytest.raises(InputError, match="eval_rows: expected at least 1, got 0"):
        load_task(TaskConfig(path=folder, eval_rows=0))


def test_other_splits_are_never_drawn_from(write):
    folder = write(train_tsv=rows(20), dev_tsv=rows(5, first=90), test_tsv=rows(7, first=80))
    splits = load_task(TaskConfig(path=str(folder), train_rows=4, holdout=0.5)).splits
    assert splits["dev"].texts == [(f"text {90 + row}",) for row in range(5)]
    assert splits["test"].texts == [(f"text {80 + row}",) for row in range(7)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"no dev split to select models by; .*--task.holdout 0.1"),
        ({"holdout": 0.01}, r"0.01 of 8 training rows is 0 rows"),
        ({"holdout": 0.99}, r"0.99 of 8 training rows is 8 rows"),
        ({"train_rows": 0, "holdout": 0.5}, r"train_rows: expected at least 1, got 0"),
        ({"train_rows": -2, "holdout": 0.5}, r"train_rows: expected at least 1, got -2"),
        ({"metric": "pearson"}, r"one of accuracy, f1, matthews, macro_recall for classification"),
        ({"metric": "f1", "labels": ("a", "b", "c")}, r"f1 is of two labels, .* has 3"),
        ({"labels": ("a", "b", "a")}, r"expected different names, got a, b, a"),
        ({"labels": ("a", "c")}, r"train.tsv row 2: expected a label out of a, c"),
        ({"kind": "regression", "labels": ("a", "b")}, r"no label names for regression"),
        ({"kind": "regression", "metric": "f1"}, r"one of pearson, spearman for regression"),
        ({"kind": "regression"}, r"train.tsv row 1: expected a finite number"),
    ],
)
def test_settings_that_do_not_fit_are_refused(write, settings, message):
    folder = write(train_tsv=rows(8))
    with pytest.raises(InputError, match=message) as raised:
        load_task(TaskConfig(path=str(folder), **settings))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("settings", [{}, {"labels": ("a", "b")}])
def test_single_training_label_is_refused(write, settings):
    folder = write(train_tsv="text\tlabel\nx\ta\ny\ta\n", dev_tsv=rows(2))
    with pytest.raises(InputError, match=r"two labels among the training rows, got 'a' only"):
        load_task(TaskConfig(path=str(folder), **settings))


def test_one_file_is_a_task(write):
    file = str(write(reviews_tsv=rows(10)) / "reviews.tsv")
    loaded = load_task(TaskConfig(path=file, holdout=0.2))
    assert loaded.task.name == "reviews"
    assert {name: len(split.texts) for name, split in loaded.splits.items()} == {
        "train": 8,
        "holdout": 2,
    }
    with pytest.raises(InputError, match=r"no dev split to select .*--task.holdout 0.1"):
        load_task(TaskConfig(path=file))


def test_builtin_docstrings_load_offline():
    loaded = load_task(TaskConfig(name="docstrings/kind"), offline=True)
    assert loaded.task == Task(name="docstrings/kind", labels=("class", "function", "method"))
    assert loaded.splits.keys() == {"train", "dev", "test"}


def test_unknown_docstrings_task_is_not_looked_for_on_the_hub():
    with pytest.raises(InputError, match=r"docstring task 'kid'"):
        load_task(TaskConfig(name="docstrings/kid"))


def test_original_files_need_no_columns(write):
    """Published files have other column names than the copies on the Hub."""
    folder = write(
        train_tsv="Quality\t#1 ID\t#1 String\t#2 String\n1\t7\tx\ty\n0\t8\tz\tw\n",
        dev_tsv="Quality\t#1 ID\t#1 String\t#2 String\n1\t9\tx\ty\n",
    )
    loaded = load_task(TaskConfig(name="glue/mrpc", path=str(folder)))
    assert (loaded.task.text, loaded.task.label) == (("#1 String", "#2 String"), "Quality")
    assert loaded.splits["train"].texts == [("x", "y"), ("z", "w")]


def test_two_columns_make_a_label(write):
    folder = write(
        train_tsv="coarse\tfine\tquestion\nNUM\tother\tx\nLOC\tother\ty\n",
        dev_tsv="coarse\tfine\tquestion\nLOC\tother\tx\n",
    )
    loaded = load_task(TaskConfig(name="trec/fine", path=str(folder)))
    assert loaded.task.labels == ("LOC:other", "NUM:other")
    assert loaded.splits["train"].labels.tolist() == [1, 0]


def test_registered_task_is_loaded(write, monkeypatch):
    monkeypatch.setattr("maskjax.tasks.registry.REGISTRY", {})
    register("films", Entry(text=("review",), label="stars", metric="macro_recall"))
    folder = write(train_tsv="review\tstars\nx\t1\ny\t2\n", dev_tsv="review\tstars\nx\t1\n")
    task = load_task(TaskConfig(name="films", path=str(folder))).task
    assert (task.name, task.text, task.metric) == ("films", ("review",), "macro_recall")
    with pytest.raises(ValueError, match="There is a task 'films' already"):
        register("films", Entry())


def test_registry_entries_have_their_kind_metric_and_texts():
    assert lookup("glue/stsb").kind == "regression"
    assert lookup("glue/cola").metric == "matthews"
    assert lookup("someone/thing").hub == "someone/thing"
    assert all(1 <= len(entry.text) <= 2 for entry in REGISTRY.values())
