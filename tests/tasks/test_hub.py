import dataclasses
import logging
import socket

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.packaged_modules.parquet.parquet import Parquet

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks import REGISTRY, load_task, load_test_texts

NAMES = ["not_equivalent", "equivalent"]  # not in alphabetical order, as in GLUE's MRPC


def features(label) -> datasets.Features:
    return datasets.Features({"text": datasets.Value("string"), "label": label})


CLASSES = features(datasets.ClassLabel(names=NAMES))
NUMBERS = features(datasets.Value("float32"))


def write_splits(folder, schema=CLASSES, **labels: list) -> None:
    for split, values in labels.items():
        columns = {"text": [f"{split} {row}" for row in range(len(values))], "label": values}
        path = folder / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(columns, features=schema).to_parquet(path)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An empty local cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def online(monkeypatch):
    """The library may use the network, but there is none."""

    def refuse(*arguments, **options):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)


@pytest.fixture
def stored(online, cache, tmp_path):
    """A data set of the Hub that has been read before."""
    write_splits(tmp_path, train=[0, 1], validation=[1])
    files = {
        split: [str(tmp_path / f"{split}-00000-of-00001.parquet")]
        for split in ("train", "validation")
    }
    builder = Parquet(
        cache_dir=str(cache),
        dataset_name="reviews",
        config_id="default",
        hash="0",
        data_files=files,
    )
    builder.download_and_prepare()
    (cache / "reviews").rename(cache / "someone___reviews")


def test_class_ids_become_names_in_their_order(tmp_path):
    write_splits(tmp_path, train=[0, 1, 1], validation=[1], test=[0])
    loaded = load_task(TaskConfig(name=str(tmp_path)), offline=True)
    assert loaded.task.labels == tuple(NAMES)
    assert {name: split.labels.tolist() for name, split in loaded.splits.items()} == {
        "train": [0, 1, 1],
        "dev": [1],
        "test": [0],
    }
    assert loaded.splits["dev"].texts == [("validation 0",)]


def test_configured_order_of_labels_has_precedence(tmp_path):
    write_splits(tmp_path, train=[0, 1, 1], validation=[1])
    config = TaskConfig(name=str(tmp_path), labels=("equivalent", "not_equivalent"))
    assert load_task(config, offline=True).splits["train"].labels.tolist() == [1, 0, 0]


@pytest.mark.parametrize("withheld", [[-1, -1], [None, None]])
def test_withheld_class_labels_leave_the_split_out(tmp_path, withheld):
    write_splits(tmp_path, train=[0, 1], validation=[1, 0], test=withheld)
    splits = load_task(TaskConfig(name=str(tmp_path)), offline=True).splits
    assert splits.keys() == {"train", "dev"}


def test_withheld_numbers_leave_the_split_out(tmp_path):
    write_splits(tmp_path, NUMBERS, train=[0.5, -1.0], validation=[-1.0, 4.0], test=[-1.0, -1.0])
    splits = load_task(TaskConfig(name=str(tmp_path), kind="regression"), offline=True).splits
    assert splits.keys() == {"train", "dev"}
    assert splits["train"].labels.tolist() == [0.5, -1.0]


def test_one_row_without_label_is_an_error(tmp_path):
    write_splits(tmp_path, train=[0, -1, 1], validation=[1])
    with pytest.raises(InputError, match=r"split train row 2: expected a label in column 'label'"):
        load_task(TaskConfig(name=str(tmp_path)), offline=True)


def test_training_labels_cannot_be_withheld(tmp_path):
    write_splits(tmp_path, train=[-1, -1], validation=[1])
    with pytest.raises(InputError, match=r"split train row 1: expected a label in column 'label'"):
        load_task(TaskConfig(name=str(tmp_path)), offline=True)


def test_training_split_is_required(tmp_path):
    write_splits(tmp_path, validation=[1], test=[0])
    with pytest.raises(InputError, match=r"expected a split 'train', got validation, test"):
        load_task(TaskConfig(name=str(tmp_path)), offline=True)


def test_wrong_column_names_the_split(tmp_path):
    write_splits(tmp_path, train=[0, 1], validation=[1])
    with pytest.raises(InputError, match=r"split train: no column 'txt'; the columns are 'text'"):
        load_task(TaskConfig(name=str(tmp_path), text=("txt",)), offline=True)


def test_wrong_subset_lists_the_subsets(tmp_path):
    write_splits(tmp_path, train=[0, 1], validation=[1])
    with pytest.raises(InputError, match=r"'other' not found. Available: \['default'\]"):
        load_task(TaskConfig(name=str(tmp_path), subset="other"), offline=True)


@pytest.mark.parametrize("offline", [True, False])
def test_stored_copy_needs_no_network(stored, offline):
    loaded = load_task(TaskConfig(name="someone/reviews"), offline=offline)
    assert loaded.task.labels == tuple(NAMES)
    assert loaded.splits["train"].texts == [("train 0",), ("train 1",)]


def test_stored_copy_is_used_without_messages(stored, monkeypatch):
    messages = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", messages.append)
    logging.getLogger("datasets").addHandler(handler)
    load_task(TaskConfig(name="someone/reviews"))
    logging.getLogger("datasets").removeHandler(handler)
    assert messages == []


def test_settings_of_datasets_are_restored(stored):
    before = datasets.config.HF_HUB_OFFLINE, datasets.logging.get_verbosity()
    load_task(TaskConfig(name="someone/reviews"))
    assert (datasets.config.HF_HUB_OFFLINE, datasets.logging.get_verbosity()) == before


def test_offline_never_uses_the_network(online, monkeypatch):
    asked = spy_on_load_dataset(monkeypatch)
    with pytest.raises(
        InputError, match=r"Data set glue/mrcp: no local copy, and offline"
    ) as raised:
        load_task(TaskConfig(name="glue/mrcp"), offline=True)
    assert str(raised.value).endswith("built-in tasks, did you mean glue/mrpc, glue/rte, glue/qqp?")
    assert asked == ["locally"]


def test_network_is_tried_after_the_local_copy(online, monkeypatch):
    asked = spy_on_load_dataset(monkeypatch, ConnectionError("unreachable"))
    with pytest.raises(InputError, match=r"no local copy, and the Hub cannot be reached"):
        load_task(TaskConfig(name="someone/reviews"))
    assert asked == ["locally", "on the Hub"]


def test_lists_of_class_ids_become_names_in_their_order(tmp_path):
    words = datasets.Sequence(datasets.Value("string"))
    schema = datasets.Features(
        {"tokens": words, "ner_tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B-X"]))}
    )
    for split, ids in {"train": [[0, 1], [1]], "validation": [[1]], "test": [[-1]]}.items():
        columns = {"tokens": [["a"] * len(tags) for tags in ids], "ner_tags": ids}
        path = tmp_path / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(columns, features=schema).to_parquet(path)
    config = TaskConfig(name=str(tmp_path), kind="tokens", text=("tokens",), label="ner_tags")
    loaded = load_task(config, offline=True)
    assert loaded.task.labels == ("O", "B-X")
    assert {name: split.labels.tolist() for name, split in loaded.splits.items()} == {
        "train": [0, 1, 1],
        "dev": [1],
    }


def write_tags(folder, **tags: list) -> TaskConfig:
    """Writes splits whose labels are lists of class ids, and gives the settings that read them."""
    schema = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B-X"])),
        }
    )
    for split, ids in tags.items():
        words = [[split] * len(row or ["word"]) for row in ids]
        path = folder / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.table({"tokens": words, "tags": ids}, schema=schema.arrow_schema), path)
    return TaskConfig(name=str(folder), kind="tokens", text=("tokens",), label="tags")


@pytest.mark.parametrize("withheld", [None, [None], [-1], [], [-100]])
def test_withheld_lists_leave_the_split_out(tmp_path, withheld):
    config = write_tags(tmp_path, train=[[0, 1]], validation=[[0, 1]], test=[withheld, withheld])
    loaded = load_task(config, offline=True)
    assert loaded.task.labels == ("O", "B-X")
    assert loaded.splits.keys() == {"train", "dev"}
    assert loaded.notes == (
        f"split test is left out: all labels of {tmp_path} split test are withheld",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (None, "split train row 2: expected a label for each word in column 'tags', got None"),
        ([0, None], "split train row 2 word 2: expected a label in column 'tags', got None"),
        ([-1], "split train row 2 word 1: expected a label in column 'tags', got None"),
        ([0, 7], "split train row 2 word 2: expected a class from 0 to 1, .* got 7"),
        ([-5], "split train row 2 word 1: expected a class from 0 to 1, .* got -5"),
    ],
)
def test_missing_and_unknown_tags_of_training_rows_are_named(tmp_path, row, message):
    config = write_tags(tmp_path, train=[[0, 1], row], validation=[[1]])
    with pytest.raises(InputError, match=message):
        load_task(config, offline=True)


@pytest.mark.parametrize("label", [7, -100])
def test_unknown_class_is_named(tmp_path, label):
    write_splits(tmp_path, train=[0], validation=[1])
    table = pa.table({"text": ["x", "y"], "label": [0, label]}, schema=CLASSES.arrow_schema)
    pq.write_table(table, tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match=rf"split train row 2: expected a class .* got {label}"):
        load_task(TaskConfig(name=str(tmp_path)), offline=True)


def test_ignored_tags_keep_their_value(tmp_path):
    config = write_tags(tmp_path, train=[[0, -100, 1]], validation=[[-100, 1]])
    splits = load_task(config, offline=True).splits
    assert splits["train"].labels.tolist() == [0, -100, 1]
    assert splits["dev"].labels.tolist() == [-100, 1]


def test_current_folder_can_be_the_data_set(tmp_path, monkeypatch):
    write_splits(tmp_path, train=[0, 1], validation=[1])
    monkeypatch.chdir(tmp_path)
    assert load_task(TaskConfig(name="."), offline=True).task.labels == tuple(NAMES)


@pytest.mark.parametrize("name", ["dev", "valid", "val", "validation"])
def test_dev_split_has_several_names(monkeypatch, name):
    row = {"text": ["x", "y"], "label": [0, 1]}
    found = {split: datasets.Dataset.from_dict(row) for split in ("train", name, "unsupervised")}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: found)
    loaded = load_task(TaskConfig(name="someone/reviews"))
    assert loaded.splits.keys() == {"train", "dev"}
    assert loaded.notes[0] == "Data set someone/reviews: not read: split unsupervised"


def test_half_of_a_surrogate_pair_names_the_row(tmp_path):
    for split in ("train", "validation"):
        rows = '{"text": "a", "label": 0}\n{"text": "good \\ud83d", "label": 1}\n'
        (tmp_path / f"{split}.jsonl").write_text(rows)
    with pytest.raises(InputError, match=r"row 2: expected Unicode, got half of a surrogate pair"):
        load_task(TaskConfig(name=str(tmp_path)), offline=True)


def test_parquet_copy_of_a_script_is_read_by_its_folders(tmp_path, monkeypatch):
    """The Hub's own copies have a folder per subset, next to the files of other subsets."""
    for subset, other in (("default", 5), ("other", 9)):
        for split, label in (("train", [0, other] * 4), ("test", [other])):
            folder = tmp_path / subset / split
            folder.mkdir(parents=True)
            rows = {"text": ["x"] * len(label), "coarse_label": label, "fine_label": label}
            datasets.Dataset.from_dict(rows).to_parquet(folder / "0000.parquet")
    entry = dataclasses.replace(REGISTRY["trec"], hub=str(tmp_path))
    monkeypatch.setitem(REGISTRY, "trec", entry)
    task, splits, _ = load_task(TaskConfig(name="trec", holdout=0.25), offline=True)
    assert task.labels == ("0", "5")
    assert {name: len(split.texts) for name, split in splits.items()} == {
        "train": 6,
        "holdout": 2,
        "test": 1,
    }


def test_further_splits_are_read(tmp_path, monkeypatch):
    columns = {"premise": ["x", "y"], "hypothesis": ["z", "w"]}
    given = {"train": [0, 1], "validation_matched": [1, 1], "validation_mismatched": [0, 0]}
    for split, label in {**given, "test_matched": [-1, -1]}.items():
        path = tmp_path / f"{split}.parquet"
        datasets.Dataset.from_dict({**columns, "label": label}).to_parquet(path)
    entry = dataclasses.replace(REGISTRY["glue/mnli"], hub=None)
    monkeypatch.setitem(REGISTRY, "glue/mnli", entry)
    config = TaskConfig(name="glue/mnli", path=str(tmp_path))
    loaded = load_task(config)
    assert loaded.splits.keys() == {"train", "dev", "dev_mismatched"}
    assert loaded.splits["dev_mismatched"].labels.tolist() == [0, 0]
    assert load_test_texts(loaded.task, config) == {"test": [("x", "z"), ("y", "w")]}


def test_task_without_a_hub_id_needs_a_folder():
    with pytest.raises(InputError, match=r"Task ptb_pos: its rows are not on the Hub; .*task.path"):
        load_task(TaskConfig(name="ptb_pos"))


def test_registry_gives_id_and_subset(online, monkeypatch):
    calls = []

    def load_dataset(*arguments):
        calls.append(arguments)
        row = {"sentence1": ["x", "y"], "sentence2": ["z", "w"], "label": [0, 1]}
        return {name: datasets.Dataset.from_dict(row) for name in ("train", "validation")}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    loaded = load_task(TaskConfig(name="glue/rte"))
    assert calls == [("nyu-mll/glue", "rte")]
    assert loaded.splits["dev"].texts == [("x", "z"), ("y", "w")]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("Dataset scripts are no longer supported, but found trec.py"),
            r"Data set who/what: it is a loading script, .*--task.path",
        ),
        (
            datasets.exceptions.DatasetNotFoundError("Dataset 'who/what' doesn't exist."),
            r"Data set who/what: Dataset 'who/what' doesn't exist; among the built-in tasks, known",
        ),
        (
            ValueError("Config name is missing.\nPlease pick one among: ['a', 'b']"),
            r"Data set who/what: Config name is missing. Please pick one among: \['a', 'b'\]",
        ),
    ],
)
def test_failure_is_explained_in_one_line(online, monkeypatch, error, message):
    spy_on_load_dataset(monkeypatch, error)
    with pytest.raises(InputError, match=message) as raised:
        load_task(TaskConfig(name="who/what"))
    assert "\n" not in str(raised.value)


def spy_on_load_dataset(monkeypatch, error_of_hub: Exception | None = None) -> list[str]:
    """Records where data sets are looked for; the Hub answers with the error."""
    asked = []
    original = datasets.load_dataset

    def load_dataset(*arguments):
        asked.append("locally" if datasets.config.HF_HUB_OFFLINE else "on the Hub")
        if error_of_hub is not None and asked[-1] == "on the Hub":
            raise error_of_hub
        return original(*arguments)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_integer_labels_become_class_names(tmp_path):
    frame = pd.DataFrame({"text": ["x", "y"], "label": np.array([7, 10])})
    frame.to_parquet(tmp_path / "train.parquet")
    frame.to_parquet(tmp_path / "validation.parquet")
    assert load_task(TaskConfig(name=str(tmp_path)), offline=True).task.labels == ("7", "10")
