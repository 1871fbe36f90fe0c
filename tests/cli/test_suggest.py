"""Suggestions for misspelled options, bases and tasks."""

import pytest

from maskjax.cli.main import main


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--lr", "1e-3"], "--optimizer.learning-rate"),
        (["--lr=1e-3"], "--optimizer.learning-rate"),
        (["-lr", "1e-3"], "--optimizer.learning-rate"),
        (["--learning-rate", "1e-3"], "--optimizer.learning-rate"),
        (["--learning_rate", "1e-3"], "--optimizer.learning-rate"),
        (["--epochs", "1"], "--train.epochs"),
        (["--batch-size", "1"], "--train.batch-size"),
        (["--max-length", "1"], "--task.max-length"),
        (["--model", "minilm"], "--model.base"),
        (["--output-dir", "x"], "--out"),
        (["--name", "x"], "--task.name, --optimizer.name"),
    ],
)
def test_an_option_of_other_programs_is_suggested(words, meant, capsys):
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {words[0].split('=')[0]}: no such option; did you mean {meant}?\n"


@pytest.mark.parametrize(
    ("base", "meant"),
    [("minlm", "minilm"), ("MiniLM", "minilm"), ("bert-base-uncasd", "bert-base-uncased")],
)
def test_misspelled_base_is_suggested(base, meant, tmp_path, toy_rows, capsys):
    words = ["--model.base", base, "--offline", "--task.path", str(toy_rows)]
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: did you mean {meant}? {base} is neither a local folder nor in")
    assert error.count("\n") == 1


def test_built_in_task_without_rows_error_names_it_built_in(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    words = ["--task.name", "glue/sst2", "--offline", "--out", str(tmp_path / "run")]
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert "Task glue/sst2 is built in, its rows are not" in error
    assert "data set nyu-mll/glue, and offline" in error
    assert "did you mean" not in error
