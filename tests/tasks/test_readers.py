import csv
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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
def test_tsv_accepts_any_line_ending_and_byte_order_mark(write, ending, mark, last):
    text = ending.join(["text\tlabel", 'say "hi"\t1', "\tNA", "é\t0"]) + ending * last
    path = write(train_tsv=mark + text.encode()) / "train.tsv"
    assert read_table(path).to_dict("records") == ROWS


def test_tsv_rows_end_at_newlines_only(write):
    path = write(train_tsv="text\na\u2028b\x0bc\x85d\n") / "train.tsv"
    assert read_table(path)["text"].tolist() == ["a\u2028b\x0bc\x85d"]


def test_csv_quotes_are_parsed(write):
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


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.csv", ["", "text,label", "", '"a\n\nb",1', "  ", ",0", "", ""]),
        ("a.tsv", ["", "text\tlabel", "", '"a"\t1', "  ", "\t0", "", ""]),
    ],
)
def test_blank_lines_are_skipped_as_pandas_does(tmp_path, name, lines, ending):
    path = tmp_path / name
    path.write_bytes(ending.join(lines).encode())
    separator, quoting = (",", csv.QUOTE_MINIMAL) if name == "a.csv" else ("\t", csv.QUOTE_NONE)
    peer = pd.read_csv(path, sep=separator, quoting=quoting, dtype=str, keep_default_na=False)
    assert len(peer) == 2
    assert read_table(path).to_dict("records") == peer.to_dict("records")


def test_quoted_empty_cell_is_no_blank_line(write):
    path = write(train_csv='text\n""\n\n"a"\n') / "train.csv"
    assert read_table(path)["text"].tolist() == ["", "a"]
    assert pd.read_csv(path, keep_default_na=False)["text"].tolist() == ["", "a"]


@pytest.mark.parametrize("lines", [["", "{}", "", '\t{"a": 1}', " ", ""], ["{}", '{"a": 1}', "\r"]])
def test_blank_lines_of_jsonl_are_skipped(write, lines):
    folder = write(a_jsonl="\n".join(lines))
    assert read_table(folder / "a.jsonl")["a"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", ["a_csv", "a_tsv", "a_jsonl"])
def test_cells_of_any_length_are_read(write, name):
    text = "word " * 300_000
    table = {"a_csv": f'text\n"{text}"\n', "a_tsv": f"text\n{text}\n"}
    limit = csv.field_size_limit()
    folder = write(**{name: table.get(name, json.dumps({"text": text}))})
    assert read_table(folder / name.replace("_", "."))["text"].tolist() == [text]
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("lists", [False, True])
def test_parquet_that_is_not_utf8_names_the_row(tmp_path, lists):
    """Writers in other languages store half of a surrogate pair this way."""
    words = [b"word", b"\xc3\xa9"] * 5 + [b"good \xed\xa0\xbd", b"bad"]
    column = pa.array([[word] for word in words] if lists else words)
    column = column.view(pa.list_(pa.string()) if lists else pa.string())
    pq.write_table(pa.table({"label": range(12), "text": column}), tmp_path / "a.parquet")
    message = r"a.parquet row 11: expected Unicode in column 'text', got bytes that are not UTF-8"
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "a.parquet")


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
        ("a.tsv", "text\tlabel\na\t1\n\nb\n", "a.tsv row 2: expected 2 cells.*got 1"),
        ("a.tsv", "text\ttext\na\tb\n", "a.tsv: expected different column names, got 'text' twice"),
        ("a.tsv", b"text\na\n\xff\n", "a.tsv line 3: not UTF-8"),
        ("a.jsonl", b"\xff\n", "a.jsonl line 1: not UTF-8"),
        ("a.csv", 'text,label\n"a,1\n', "a.csv line 2: not valid CSV"),
        ("a.jsonl", '{"text": "a"}\n{"text"\n', "a.jsonl row 2: not valid JSON"),
        ("a.jsonl", '{"text": "a"}\n\n{"text"\n', "a.jsonl row 2: not valid JSON"),
        ("a.jsonl", "\n \n", "a.jsonl: expected at least one row"),
        ("a.jsonl", '{"text": ' + "[" * 100_000, "a.jsonl row 1: JSON that cannot be read: max"),
        (
            "a.jsonl",
            '{"text": ' + "1" * 5_000 + "}",
            "a.jsonl row 1: JSON that cannot be read: Exc",
        ),
        ("a.jsonl", '{"te\\ud83dxt": 1}', r"a.jsonl row 1: column 'te\\ud83dxt': expected Unicode"),
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


def test_missing_file_suggests_similar_names(write):
    folder = write(train_tsv="text\na\n", other_tsv="text\na\n")
    with pytest.raises(InputError, match=rf"No file .*trian.tsv; in {folder}, did you mean train"):
        read_table(folder / "trian.tsv")


def test_missing_folder_suggests_names_in_the_nearest_parent(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(
        InputError, match=rf"No file or folder .*dat/sst2; in {tmp_path}, did you mean data"
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
def test_two_files_for_one_split_are_refused(write, second):
    folder = write(train_tsv="text\na\n", **{second: "text\na\n"})
    with pytest.raises(InputError, match=rf"got train.tsv and {second.replace('_', '.')}; remove"):
        read_folder(folder, "classification")


def test_dev_and_validation_are_the_same_split(write):
    folder = write(train_tsv="text\na\n", dev_tsv="text\na\n", validation_tsv="text\na\n")
    with pytest.raises(InputError, match=r"got dev.tsv and validation.tsv"):
        read_folder(folder, "classification")


@pytest.mark.parametrize("name", ["dev", "valid", "val", "validation"])
@pytest.mark.parametrize("suffix", ["", "_matched"])
def test_dev_file_has_several_names(tmp_path, name, suffix):
    for file in ("train", f"{name}{suffix}", f"{name}_mismatched"):
        (tmp_path / f"{file}.tsv").write_text("text\na\n")
    tables = read_folder(tmp_path, "classification")
    assert tables.keys() == {"train", "dev", "dev_mismatched"}
    assert tables["train"].unread == ()


@pytest.mark.parametrize(
    ("kind", "name", "is_read"),
    [
        ("classification", "eval.csv", False),
        ("classification", "dev.json", False),
        ("classification", "Valid.csv", False),
        ("classification", "validation.csv.gz", False),
        ("tokens", "valid.csv", False),
        ("tokens", "valid.txt", True),
        ("classification", "README.txt", True),
        ("classification", "notes.md", True),
    ],
)
def test_files_that_are_not_read_are_named(tmp_path, kind, name, is_read):
    (tmp_path / "train.tsv").write_text("text\tlabel\na\t0\n")
    (tmp_path / name).write_text("x")
    (note,) = read_folder(tmp_path, kind)["train"].unread or ("",)
    assert (name in note) != is_read


def test_folder_of_a_split_is_named(tmp_path):
    (tmp_path / "train.tsv").write_text("text\tlabel\na\t0\n")
    (tmp_path / "validation").mkdir()
    (tmp_path / "cache").mkdir()
    (note,) = read_folder(tmp_path, "classification")["train"].unread
    assert "not read: validation; " in note


def test_folder_without_training_file_is_refused(write):
    folder = write(training_tsv="text\na\n")
    with pytest.raises(InputError, match=r"expected one of train.tsv, .*did you mean training.tsv"):
        read_folder(folder, "classification")
