"""`maskjax evaluate` and the scores of `predict`, against scikit-learn; the model is known."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from maskjax.cli.main import main
from maskjax.inference import evaluate_logits
from maskjax.tasks import Split, Task

TEXTS = ["good film", "bad film", "the film", "bad book", "a song", "good play", "very good"]
LABELS = ["joy", "anger", "joy", "anger", "rest", "anger", "joy"]
SAID = ["joy", "anger", "rest", "anger", "rest", "joy", "joy"]


def write(folder, name, labels=LABELS, **columns):
    folder.mkdir(exist_ok=True)
    rows = {"text": TEXTS[: len(labels)], "label": labels, **columns}
    pd.DataFrame(rows).to_csv(folder / name, index=False)
    return folder


def evaluated(*words, output):
    assert main(["evaluate", "run", *map(str, words), "--output", str(output)]) == 0
    return json.loads(output.read_text())["splits"]


def test_scores_match_scikit_learn(use, tmp_path, capsys):
    use("three")
    folder = write(tmp_path / "new", "august.csv")
    (found,) = evaluated("--path", folder, output=tmp_path / "x.json").items()
    name, values = found
    report = metrics.classification_report(LABELS, SAID, output_dict=True)
    assert (name, values["rows"]) == ("august", 7)
    assert values["scores"] == {
        "accuracy": pytest.approx(report["accuracy"]),
        "macro_f1": pytest.approx(metrics.f1_score(LABELS, SAID, average="macro")),
    }
    for record in values["classes"]:
        expected = report[record["label"]]
        assert record["support"] == expected["support"]
        for name, key in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert record[name] == pytest.approx(expected[key])
    matrix = metrics.confusion_matrix(LABELS, SAID)
    names = ["anger", "joy", "rest"]
    expected = {"rows": names, "columns": names, "counts": matrix.tolist()}
    assert values["confusion_matrix"] == expected
    cells = [[c.strip() for c in row.split("│")] for row in capsys.readouterr().out.splitlines()]
    scores = [f"{values['scores'][name]:.4f}" for name in ("accuracy", "macro_f1")]
    assert ["", "august", "7", *scores, ""] in cells
    for label, counts in zip(("anger", "joy", "rest"), matrix.tolist(), strict=True):
        f1, support = report[label]["f1-score"], str(int(report[label]["support"]))
        assert any(row[1:2] == [label] and row[-3:-1] == [f"{f1:.4f}", support] for row in cells)
        assert ["", label, *map(str, counts), ""] in cells


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_of_random_predictions_matches_sklearn(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5 - seed % 3, 40)
    logits = random.normal(size=(40, 6)) - [
        0,
        0,
        0,
        0,
        0,
        9 * (seed % 2),
    ]  # odd: five classes occur
    task = Task(name="t", labels=tuple("abcdef"))
    found = evaluate_logits(task, logits, Split([("x",)] * 40, labels))
    said = logits.argmax(1)
    expected = metrics.f1_score(labels, said, average="macro", zero_division=0)
    assert found.scores["macro_f1"] == pytest.approx(expected)
    assert found.confusion is not None
    matrix = metrics.confusion_matrix(labels, said, labels=range(6))
    assert np.array_equal(found.confusion.counts[:, :-1], matrix)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, said, labels=range(6), zero_division=0
    )
    for ours, theirs in zip(
        (found.confusion.precision, found.confusion.recall, found.confusion.f1),
        (precision, recall, f1),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs)
    assert found.confusion.support.tolist() == support.tolist()


def test_words_without_a_token_are_wrong_and_have_no_class(use, tmp_path):
    use("tokens", max_length=8)
    (tmp_path / "new.conll").write_text("good B-GOOD\n" * 9 + "\nbad O\nfilm O\n")
    (values,) = evaluated("--path", tmp_path / "new.conll", output=tmp_path / "x.json").values()
    actual = ["B-GOOD"] * 9 + ["O"] * 2
    said = ["B-GOOD"] * 6 + ["(none)"] * 3 + ["I-GOOD", "O"]
    assert (values["rows"], values["units"]) == (2, 11)
    assert values["scores"]["accuracy"] == pytest.approx(7 / 11)
    expected = metrics.f1_score(
        actual, said, average="macro", labels=["B-GOOD", "I-GOOD", "O"], zero_division=0
    )
    assert values["scores"]["macro_f1"] == pytest.approx(expected)
    counts = values["confusion_matrix"]["counts"]
    assert counts == [[1, 0, 1, 0], [0, 6, 0, 3], [0, 0, 0, 0]]
    assert values["confusion_matrix"]["columns"][-1] == "(none)"


def test_regression_scores_match_sklearn(use, tmp_path):
    use("regression")
    folder = write(tmp_path / "new", "x.csv", labels=[1.5, 0.5, 0, 1, 2, 1, 0])
    (values,) = evaluated("--path", folder, output=tmp_path / "x.json").values()
    said, actual = [1, 0, 0, 0, 0, 1, 1], [1.5, 0.5, 0, 1, 2, 1, 0]
    expected = metrics.mean_absolute_error(actual, said)
    assert values["scores"]["mean_absolute_error"] == pytest.approx(expected)
    assert values["scores"]["pearson"] == pytest.approx(np.corrcoef(actual, said)[0, 1])
    assert "classes" not in values


def test_every_file_with_labels_is_a_split(use, tmp_path, capsys):
    use("three")
    folder = write(tmp_path / "new", "march.csv")
    write(folder, "validation.csv", labels=LABELS[:3])
    write(folder, "test.csv", labels=[""] * 4)
    (folder / "prices.csv").write_text("item,price\nx,1\n")
    found = evaluated("--path", folder, output=tmp_path / "x.json")
    assert {name: values["rows"] for name, values in found.items()} == {"march": 7, "dev": 3}
    notes = capsys.readouterr().err
    assert "split test is left out: all labels of" in notes
    assert "split prices is left out" in notes
    found = evaluated("--path", folder, "--split", "march", output=tmp_path / "x.json")
    assert found.keys() == {"march"}
    found = evaluated("--path", folder, "--split", "validation", output=tmp_path / "x.json")
    assert found.keys() == {"dev"}
    assert main(["evaluate", "run", "--path", str(folder), "--split", "may"]) == 2
    assert "there are dev, test, march, prices" in capsys.readouterr().err
    assert main(["evaluate", "run", "--path", str(folder), "--split", "prices"]) == 2
    assert "prices.csv: no column 'text'" in capsys.readouterr().err
    (folder / "june.csv").write_text("text,label\ngood,joi\n")
    assert main(["evaluate", "run", "--path", str(folder)]) == 2
    assert "june.csv row 1: expected a label out of anger, joy" in capsys.readouterr().err


def test_rows_without_a_label_are_left_out_as_in_predict(use, tmp_path, capsys):
    use("three")
    file = write(tmp_path / "new", "x.csv", labels=["", *LABELS[1:5], "-1", ""]) / "x.csv"
    (values,) = evaluated("--path", file, output=tmp_path / "x.json").values()
    assert values["rows"] == 4
    accuracy = metrics.accuracy_score(LABELS[1:5], SAID[1:5])
    assert values["scores"]["accuracy"] == pytest.approx(accuracy)
    assert "split x: 3 of 7 rows have no label and are left out" in capsys.readouterr().err
    assert main(["predict", "run", "--input", str(file)]) == 0
    assert f"accuracy {accuracy:.4f}" in (out := capsys.readouterr().out)
    assert "on 4 of 7 rows with labels" in out


def test_rows_without_a_number_are_left_out_but_not_minus_one(use, tmp_path):
    use("regression")
    labels = ["", "-1", "1", "0", "2", "1", ""]
    file = write(tmp_path / "new", "x.csv", labels=labels) / "x.csv"
    (values,) = evaluated("--path", file, output=tmp_path / "x.json").values()
    expected = metrics.mean_absolute_error([-1, 1, 0, 2, 1], [0, 0, 0, 0, 1])
    assert values["rows"] == 5
    assert values["scores"]["mean_absolute_error"] == pytest.approx(expected)


def test_unknown_label_error_lists_the_labels_of_the_run(use, tmp_path, capsys):
    """Neither command has an option that could add a label."""
    use("three")
    file = write(tmp_path / "new", "x.csv", labels=["joy", "fear", "anger"]) / "x.csv"
    assert main(["evaluate", "run", "--path", str(file)]) == 2
    assert main(["predict", "run", "--input", str(file)]) == 0
    for said in capsys.readouterr():
        assert "row 2: expected a label out of anger, joy, rest" in said
        assert "--task.labels" not in said
    write(tmp_path / "new", "x.csv", labels=["", "", "joy", "an ger", "anger"])
    assert main(["evaluate", "run", "--path", str(file)]) == 2
    error = capsys.readouterr().err
    assert f"{file} row 4: label 'an ger' in column 'label' differs from 'anger'" in error
    assert "write them alike." in error
    assert "--task.labels" not in error


def test_training_rows_are_scored_where_there_are_no_others(use, tmp_path):
    use("three")
    file = write(tmp_path / "new", "train.csv") / "train.csv"
    assert evaluated("--path", file, output=tmp_path / "x.json")["train"]["rows"] == 7


def test_rows_of_the_run_need_no_training_file(use, tmp_path):
    folder = write(tmp_path / "own", "dev.csv")
    use("three", path=str(folder))
    assert evaluated(output=tmp_path / "x.json")["dev"]["rows"] == 7


def test_one_file_of_a_run_is_divided_as_in_training(use, tmp_path):
    file = write(tmp_path / "own", "reviews.csv") / "reviews.csv"
    use("three", path=str(file), holdout=0.3)
    assert evaluated(output=tmp_path / "x.json")["holdout"]["rows"] == 2
    assert evaluated("--split", "train", output=tmp_path / "x.json")["train"]["rows"] == 5
    found = evaluated("--path", file, output=tmp_path / "x.json")
    assert found["reviews"]["rows"] == 7


def test_missing_rows_of_the_run_error_names_a_remedy(use, tmp_path, capsys):
    use("three", path=str(tmp_path / "gone"))
    assert main(["evaluate", "run"]) == 2
    assert "gone: the rows of the run are no longer there" in (error := capsys.readouterr().err)
    assert "--path FILE|FOLDER" in error


def test_eval_rows_are_reported_and_can_be_overridden(use, tmp_path, capsys):
    folder = write(tmp_path / "own", "test.csv")
    use("three", path=str(folder), eval_rows=4)
    assert evaluated(output=tmp_path / "x.json")["test"]["rows"] == 4
    assert "split test: 4 of 7 rows are scored (--task.eval-rows)" in capsys.readouterr().err
    for words, rows in ((["--eval-rows", "all"], 7), (["--eval-rows", "5"], 5)):
        assert evaluated(*words, output=tmp_path / "x.json")["test"]["rows"] == rows
    for words, rows in (([], 7), (["--eval-rows", "2"], 2)):
        found = evaluated("--path", folder, *words, output=tmp_path / "x.json")
        assert found["test"]["rows"] == rows


def test_many_classes_are_shown_as_frequent_confusions(use, tmp_path, capsys, monkeypatch):
    use("three")
    monkeypatch.setattr("maskjax.cli.evaluate.MOST_COLUMNS", 2)
    assert main(["evaluate", "run", "--path", str(write(tmp_path / "new", "x.csv"))]) == 0
    out = capsys.readouterr().out
    assert "│ joy   │ rest      │     1 │" in out
    assert "most frequent confusions" in out


def test_a_run_renames_the_labels_of_raw_rows(use, tmp_path):
    folder = write(tmp_path / "new", "x.csv", labels=["1", "0", "1.0", "0", "2", "0", "1"])
    use("three", labels=("0=anger", "1=joy", "2=rest"))
    (values,) = evaluated("--path", folder, output=tmp_path / "x.json").values()
    expected = metrics.accuracy_score(LABELS, SAID)
    assert values["scores"]["accuracy"] == pytest.approx(expected)


def test_predictions_of_a_file_with_labels_are_scored(use, tmp_path, capsys):
    use("three")
    file = write(tmp_path, "in.csv") / "in.csv"
    assert main(["predict", "run", "--input", str(file)]) == 0
    expected = metrics.f1_score(LABELS, SAID, average="macro")
    assert f"macro_f1 {expected:.4f} on 7 rows with labels" in capsys.readouterr().out
    write(tmp_path, "in.csv", labels=["", *LABELS[1:-1], ""])
    assert main(["predict", "run", "--input", str(file)]) == 0
    expected = metrics.accuracy_score(LABELS[1:-1], SAID[1:-1])
    assert f"accuracy {expected:.4f}" in (out := capsys.readouterr().out)
    assert "on 5 of 7 rows with labels" in out
    write(tmp_path, "in.csv", labels=["fear", *LABELS[1:]])
    assert main(["predict", "run", "--input", str(file)]) == 0
    assert "not scored:" in (out := capsys.readouterr().out)
    assert "row 1: expected a label out of anger, joy, rest" in out


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("source", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_output_has_the_columns_of_the_input(use, tmp_path, source, suffix):
    use("three")
    frame = pd.DataFrame({"id": [f"{n:03}" for n in range(7)], "text": TEXTS, "label": LABELS})
    file, out = tmp_path / f"in{source}", tmp_path / f"out{suffix}"
    save(frame, file)
    words = ["--input", str(file), "--output", str(out), "--probabilities"]
    assert main(["predict", "run", *words]) == 0
    found = load(out)
    assert found[["id", "text", "label"]].equals(frame)
    assert found["predicted_label"].tolist() == SAID
    names = [f"probability_{name}" for name in ("anger", "joy", "rest")]
    assert list(found.columns) == ["id", "text", "label", "predicted_label", "score", *names]
    chances = found[names].to_numpy(np.float64)
    best = np.exp(2) / (np.exp(2) + 2)
    np.testing.assert_allclose(chances.max(axis=1), best, atol=1e-6)
    np.testing.assert_allclose(found["score"].astype(float), best, atol=1e-6)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=2e-6)


def save(frame, path):
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case suffix:
            frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")


def load(path):
    match path.suffix:
        case ".parquet":
            return pd.read_parquet(path)
        case ".jsonl":
            return pd.read_json(path, orient="records", lines=True, dtype={"id": str})
        case suffix:
            return pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", dtype=str)


def test_output_keeps_parquet_types_and_missing_json_keys(use, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    use("three")
    source = pa.table({"text": TEXTS[:2], "n": pa.array([2**60 + 1, None], pa.int64())})
    pq.write_table(source, tmp_path / "in.parquet")
    words = ["--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out.parquet")]
    assert main(["predict", "run", *words]) == 0
    assert pq.read_table(tmp_path / "out.parquet").select(["text", "n"]).equals(source)
    lines = [{"text": "good", "tags": ["a", 1]}, {"text": "bad", "note": None}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["--input", str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "out.jsonl")]
    assert main(["predict", "run", *words]) == 0
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    added = {"label": "joy", "score": found[0]["score"]}
    assert found == [{**lines[0], **added}, {**lines[1], **added, "label": "anger"}]


def test_words_are_written_one_per_line(use, tmp_path):
    use("tokens")
    (tmp_path / "in.conll").write_text("good B-GOOD\nfilm O\n\nbad O\n")
    for name in ("out.tsv", "out.csv"):
        words = ["--input", str(tmp_path / "in.conll"), "--output", str(tmp_path / name)]
        assert main(["predict", "run", *words]) == 0
    lines = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().split("\n")]
    assert [line[:3] for line in lines] == [
        ["token", "tag", "label"],
        ["good", "B-GOOD", "B-GOOD"],
        ["film", "O", "O"],
        [""],
        ["bad", "O", "I-GOOD"],
        [""],
        [""],
    ]
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[:4] for row in rows] == [
        ["sentence", "token", "tag", "label"],
        ["1", "good", "B-GOOD", "B-GOOD"],
        ["1", "film", "O", "O"],
        ["2", "bad", "O", "I-GOOD"],
    ]


@pytest.fixture
def inputs(use, tmp_path, monkeypatch):
    """Input files in the current folder, and a predictor that must not be asked."""
    saved = use("three")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "in.csv")
    (tmp_path / "tab.csv").write_text('text\n"good\tfilm"\n')
    (tmp_path / "mixed.jsonl").write_text('{"text": "a", "n": 1}\n{"text": "a", "n": "x"}\n')
    (tmp_path / "half.jsonl").write_text('{"text": "a", "n": "\\ud83d"}\n')
    monkeypatch.setattr(type(saved), "logits", lambda *_: pytest.fail("it computed first"))


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("in.csv", ["--output", "out.xlsx"], "expected a name that ends in .csv or .tsv"),
        ("in.csv", ["--output", "in.csv"], "in.csv is the input"),
        ("in.csv", ["--output", "no/out.csv"], "no is no folder that can be written"),
        ("in.csv", ["--probabilities"], "--probabilities: expected --output"),
        ("tab.csv", ["--output", "out.tsv"], "row 1: column 'text' has a tab or a line break"),
        ("mixed.jsonl", ["--output", "out.parquet"], "column 'n' has no single type"),
        ("half.jsonl", ["--output", "out.parquet"], "surrogate pair in it, which only .jsonl can"),
        ("half.jsonl", ["--output", "out.csv"], "surrogate pair in it, which only .jsonl can"),
    ],
)
@pytest.mark.usefixtures("inputs")
def test_outputs_that_cannot_be_written_are_refused_first(capsys, name, words, message):
    assert main(["predict", "run", "--input", name, *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_texts_are_printed_without_markup(use, capsys):
    use("three")
    assert main(["predict", "run", "--text", "good [/b] :smile: \x1b[31m"]) == 0
    assert r"good [/b] :smile: \x1b[31m" in capsys.readouterr().out
