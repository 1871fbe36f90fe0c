"""Predictions of words and of choices from the command line; the model is a known function."""

import json

import pytest

from maskjax.cli.main import main


def test_words_are_printed_with_their_labels(use, capsys):
    use("tokens")
    assert main(["predict", "run", "--text", "good film bad", "a \x7f good"]) == 0
    expected = "good\tB-GOOD\nfilm\tO\nbad\tI-GOOD\n\na\tO\n\x7f\tO\ngood\tB-GOOD\n"
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("in.conll", "bad O\n\ngood O\n"),
        ("in.txt", "bad\n\ngood\n"),
        ("in.tsv", "form\nbad\n\ngood\n"),
        ("in.conllu", "1\tbad" + "\t_" * 8 + "\n\n1\tgood" + "\t_" * 8 + "\n"),
        ("in.jsonl", '{"tokens": ["bad"]}\n{"tokens": ["good"]}\n'),
    ],
)
def test_sentences_are_read_from_any_file_format(use, tmp_path, capsys, name, lines):
    use("tokens")
    (tmp_path / name).write_text(lines)
    assert main(["predict", "run", "--input", str(tmp_path / name)]) == 0
    assert capsys.readouterr().out == "bad\tI-GOOD\n\ngood\tB-GOOD\n"


def test_words_beyond_the_longest_sentence_are_outside(use, tmp_path):
    use("tokens", max_length=8)
    out = tmp_path / "out.jsonl"
    texts = [" ".join(["good"] * count) for count in (9, 1)]
    assert main(["predict", "run", "--text", *texts, "--output", str(out)]) == 0
    long, short = map(json.loads, out.read_text().splitlines())
    assert long["label"] == ["B-GOOD"] * 6 + ["O"] * 3
    assert long["score"][5:] == pytest.approx([1, 0, 0, 0], abs=1e-3)
    assert short["label"] == ["B-GOOD"]


def test_labels_of_words_are_written_to_a_file(use, tmp_path):
    use("tokens")
    out = tmp_path / "out.jsonl"
    assert main(["predict", "run", "--text", "good film", "--output", str(out)]) == 0
    assert json.loads(out.read_text()) == {
        "text": ["good", "film"],
        "label": ["B-GOOD", "O"],
        "score": [pytest.approx(1, abs=1e-3)] * 2,
    }


def test_choices_are_read_from_arguments_and_files(use, tmp_path, capsys):
    use("choice")
    endings = ["a", "good", "bad", "good", "bad", "film"]
    assert main(["predict", "run", "--text", "the", "film", "--second", *endings]) == 0
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines() if "|" in line] == ["y", "x"]
    (tmp_path / "in.tsv").write_text("q\te0\te1\te2\nthe\ta\tgood\tbad\n")
    words = ["--input", str(tmp_path / "in.tsv"), "--output", str(tmp_path / "out.jsonl")]
    assert main(["predict", "run", *words]) == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["label"] == "y"


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("choice", ["--text", "a", "--second", "b"], "expected 3 second texts, got 1"),
        ("tokens", ["--text", "a", "--second", "b"], "task ud_pos has one text"),
        ("tokens", ["--text", " "], "expected a text"),
    ],
)
def test_inputs_that_do_not_fit_the_kind_are_refused(use, capsys, kind, words, message):
    use(kind)
    assert main(["predict", "run", *words]) == 2
    assert message in capsys.readouterr().err


def test_tasks_are_listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (swag,) = [line for line in lines if " swag " in line]
    for word in ("choice", "accuracy", "allenai/swag *"):
        assert word in swag


def test_one_task_is_described_in_full(capsys):
    assert main(["tasks", "glue/mrpc"]) == 0
    printed = capsys.readouterr().out
    for words in ("nyu-mll/glue (mrpc)", "dev = validation", "#1 String, #2 String; label Quality"):
        assert words in printed
    assert main(["tasks", "glue/mprc"]) == 2
    assert "did you mean glue/mrpc" in capsys.readouterr().err


def test_submission_holds_the_predictions_of_a_run(use, toy_rows, tmp_path):
    use("classification", path=str(toy_rows), text=("text",))
    assert main(["submit", "run", "--out", str(tmp_path / "glue")]) == 0
    _, *rows = (toy_rows / "test.tsv").read_text().splitlines()
    spelled = [("negative", "positive").index(row.split("\t")[1]) for row in rows]
    lines = ["index\tprediction", *(f"{row}\t{label}" for row, label in enumerate(spelled))]
    assert (tmp_path / "glue" / "SST-2.tsv").read_text().splitlines() == lines


def test_submission_of_a_task_outside_glue_is_refused(use, tmp_path, capsys):
    use("choice")
    assert main(["submit", "run", "--out", str(tmp_path / "glue")]) == 2
    assert "Task t: the GLUE leaderboard accepts test of" in capsys.readouterr().err
    assert not (tmp_path / "glue").exists()
