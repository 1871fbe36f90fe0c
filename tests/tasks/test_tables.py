import csv

import numpy as np
import pandas as pd
import pytest

from maskjax.errors import InputError
from maskjax.tasks import read_table
from maskjax.tasks.local import read_folder

ROWS = [
    {"text": 'say "hi"', "label": "1"},
    {"text": "", "label": "NA"},
    {"text": "é", "label": "0"},
]


def test_tsv_has_no_quotes_and_keeps_empty_cells(write):
    path = write(train_tsv='text\tlabel\nsay "hi"\t1\n\tNA\né\t0\n') / "train.tsv"
    assert read_table(path).to_dict("records") == ROWS


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_tsv_of_any_editor(write, ending, mark, last):
    text = ending.join(["text\tlabel", 'say "hi"\t1', "\tNA", "é\t0"]) + ending * last
    path = write(train_tsv=mark + text.encode()) / "train.tsv"
    assert read_table(path).to_dict("records") == ROWS


def test_tsv_rows_end_at_newlines_only(write):
    path = write(train_tsv="text\na\u2028b\x0bc\x85d\n") / "train.tsv"
    assert read_table(path)["text"].tolist() == ["a\u2028b\x0bc\x85d"]


def test_csv_has_quotes(write):
    path = write(train_csv='text,label\n"say ""hi"", you\nall",1\n') / "train.csv"
    assert read_table(path).to_dict("records") == [{"text": 'say "hi", you\nall', "label": "1"}]


def test_csv_matches_a_writer(write):
    path = write() / "train.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(ROWS)
    assert read_table(path).to_dict("records") == ROWS


def test_jsonl_keeps_types(write):
    path = write(train_jsonl='{"text": "a", "label": 1}\n{"text": "b", "label": 0.5}\n')
    assert read_table(path / "train.jsonl")["label"].tolist() == [1, 0.5]


def test_parquet_matches_pandas(write):
    frame = pd.DataFrame({"text": ["a", "b"], "label": [1, 0]})
    path = write() / "train.parquet"
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_table(path), frame)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", "a.tsv: expected at least one row"),
        ("a.csv", "", "a.csv: expected at least one row"),
        ("a.jsonl", "", "a.jsonl: expected at least one row"),
        ("a.tsv", "text\tlabel\n", "a.tsv: expected at least one row"),
        ("a.csv", "text,label\n", "a.csv: expected at least one row"),
        ("a.tsv", "text\tlabel\na\t1\nb\n", "a.tsv row 2: expected 2 cells.*got 1"),
        ("a.tsv", "text\tlabel\na\t1\tx\n", "a.tsv row 1: expected 2 cells.*got 3"),
        ("a.csv", "text,label\na,1\nb,2,3\n", "a.csv row 2: expected 2 cells.*got 3"),
        ("a.tsv", "text\tlabel\na\t1\n\nb\t1\n", "a.tsv row 2: expected 2 cells.*got 1"),
        ("a.tsv", "text\ttext\na\tb\n", "a.tsv: expected different column names, got 'text' twice"),
        ("a.tsv", b"text\na\n\xff\n", "a.tsv line 3: not UTF-8"),
        ("a.jsonl", b"\xff\n", "a.jsonl line 1: not UTF-8"),
        ("a.csv", 'text,label\n"a,1\n', "a.csv line 2: not valid CSV"),
        ("a.jsonl", '{"text": "a"}\n{"text"\n', "a.jsonl row 2: not valid JSON"),
        ("a.jsonl", '{"text": "a"}\n\n{"text": "b"}\n', "a.jsonl row 2: not valid JSON"),
        ("a.jsonl", "[1, 2]\n", r"a.jsonl row 1: expected a JSON object, got \[1, 2\]"),
        ("a.parquet", "no parquet", "a.parquet: not a Parquet file"),
        ("a.txt", "text\n", r"a.txt: expected a file that ends in .tsv or .csv or .jsonl"),
    ],
)
def test_bad_file_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as raised:
        read_table(path)
    assert "\n" not in str(raised.value)


def test_empty_parquet_is_named(tmp_path):
    pd.DataFrame({"text": np.array([], str)}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet: expected at least one row"):
        read_table(tmp_path / "a.parquet")


def test_missing_file_lists_near_names(write):
    folder = write(train_tsv="text\na\n", other_tsv="text\na\n")
    with pytest.raises(InputError, match=rf"No file .*trian.tsv; in {folder}, did you mean train"):
        read_table(folder / "trian.tsv")


def test_missing_folder_lists_near_names_of_the_parent_that_exists(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(
        InputError, match=rf"No folder .*dat/sst2; in {tmp_path}, did you mean data"
    ):
        read_folder(tmp_path / "dat" / "sst2", "classification")


def test_folder_reads_each_split_in_its_own_format(write):
    folder = write(
        train_tsv="text\na\n", validation_csv="text\nb\n", test_jsonl='{"text": "c"}', x_txt="?"
    )
    tables = read_folder(folder, "classification")
    texts = {split: table.frame["text"].tolist() for split, table in tables.items()}
    assert texts == {"train": ["a"], "dev": ["b"], "test": ["c"]}
    assert tables["dev"].source == str(folder / "validation.csv")


@pytest.mark.parametrize("second", ["train_csv", "train_parquet"])
def test_two_files_for_one_split(write, second):
    folder = write(train_tsv="text\na\n", **{second: "text\na\n"})
    with pytest.raises(InputError, match=rf"got train.tsv and {second.replace('_', '.')}; remove"):
        read_folder(folder, "classification")


def test_dev_and_validation_are_the_same_split(write):
    folder = write(train_tsv="text\na\n", dev_tsv="text\na\n", validation_tsv="text\na\n")
    with pytest.raises(InputError, match=r"got dev.tsv and validation.tsv"):
        read_folder(folder, "classification")


def test_folder_without_training_file(write):
    folder = write(training_tsv="text\na\n")
    with pytest.raises(InputError, match=r"expected one of train.tsv, .*did you mean training.tsv"):
        read_folder(folder, "classification")
