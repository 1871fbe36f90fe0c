"""Predictions of words and of choices from the command line; the model is a known function."""

import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from maskjax.cli.main import main
from maskjax.cli.saved import SavedRun
from maskjax.config import Config, TaskConfig, TrainConfig
from maskjax.inference import TaskPredictor
from maskjax.tasks import Task, load_tokenizer

GOOD, BAD = 5, 6  # ids in the vocabulary of the toy base


def tag_tokens(params, inputs):
    """Says B-GOOD of the token `good`, I-GOOD of `bad`, O of all others."""
    ids = inputs["input_ids"]
    return 9.0 * jax.nn.one_hot(jnp.where(ids == GOOD, 1, jnp.where(ids == BAD, 2, 0)), 3)


def choose_good(params, inputs):
    """Chooses the sequence with the most tokens `good`."""
    return (inputs["input_ids"] == GOOD).sum(axis=1).reshape(-1, 3).astype(jnp.float32)


def find_good(params, inputs):
    """Says class 1 of the sequences with the token `good`."""
    return jax.nn.one_hot((inputs["input_ids"] == GOOD).any(axis=1).astype(jnp.int32), 2)


ENDINGS = ("e0", "e1", "e2")
TASKS = {
    "tokens": ({"name": "ud_pos"}, ("O", "B-GOOD", "I-GOOD"), tag_tokens),
    "choice": ({"name": "t", "text": ("q",), "choices": ENDINGS}, ("x", "y", "z"), choose_good),
    "classification": ({"name": "glue/sst2"}, ("negative", "positive"), find_good),
}


@pytest.fixture
def use(toy_base, monkeypatch):
    """Makes every saved run one of this kind."""

    def make(kind, **settings) -> TaskPredictor:
        values, labels, apply = TASKS[kind]
        config = Config(
            task=TaskConfig(**{"kind": kind, "max_length": 16, **values, **settings}),
            train=TrainConfig(batch_size=2, buckets=(8, 16)),
        )
        task = Task(kind=kind, labels=labels, **values)
        base = SimpleNamespace(config=SimpleNamespace(pad_token_id=0))
        model, tokenizer = SimpleNamespace(apply=apply), load_tokenizer(toy_base, kind)
        predictor = TaskPredictor(config, task, None, base, model, {}, tokenizer)
        monkeypatch.setattr(SavedRun, "load", lambda self: predictor)
        return predictor

    return make


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
def test_sentences_of_any_file(use, tmp_path, capsys, name, lines):
    use("tokens")
    (tmp_path / name).write_text(lines)
    assert main(["predict", "run", "--input", str(tmp_path / name)]) == 0
    assert capsys.readouterr().out == "bad\tI-GOOD\n\ngood\tB-GOOD\n"


def test_words_beyond_the_longest_sentence_are_outside(use):
    tags = use("tokens", max_length=8).tag([["good"] * 9, ["good"]])
    assert [tag.label for tag in tags[0]] == ["B-GOOD"] * 6 + ["O"] * 3
    assert [tag.score for tag in tags[0]][5:] == pytest.approx([1, 0, 0, 0], abs=1e-3)
    assert [tag.label for tag in tags[1]] == ["B-GOOD"]


def test_labels_of_words_go_to_a_file(use, tmp_path):
    use("tokens")
    out = tmp_path / "out.jsonl"
    assert main(["predict", "run", "--text", "good film", "--output", str(out)]) == 0
    assert json.loads(out.read_text()) == {"text": ["good", "film"], "label": ["B-GOOD", "O"]}


def test_choices_from_words_and_files_alike(use, tmp_path, capsys):
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
def test_bad_input(use, capsys, kind, words, message):
    use(kind)
    assert main(["predict", "run", *words]) == 2
    assert message in capsys.readouterr().err


def test_each_kind_has_its_own_call(use):
    with pytest.raises(ValueError, match=r"call tag\(sentences\)"):
        use("tokens")([("a",)])
    with pytest.raises(ValueError, match="labels no words"):
        use("choice").tag([["a"]])


def test_tasks_are_listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (swag,) = [line for line in lines if " swag " in line]
    for word in ("choice", "accuracy", "allenai/swag *"):
        assert word in swag


def test_one_task_is_told_whole(capsys):
    assert main(["tasks", "glue/mrpc"]) == 0
    told = capsys.readouterr().out
    for words in ("nyu-mll/glue (mrpc)", "dev = validation", "#1 String, #2 String; label Quality"):
        assert words in told
    assert main(["tasks", "glue/mprc"]) == 2
    assert "did you mean glue/mrpc" in capsys.readouterr().err


def test_submission_of_a_run(use, toy_rows, tmp_path):
    use("classification", path=str(toy_rows), text=("text",))
    assert main(["submit", "run", "--out", str(tmp_path / "glue")]) == 0
    _, *rows = (toy_rows / "test.tsv").read_text().splitlines()
    spelled = [("negative", "positive").index(row.split("\t")[1]) for row in rows]
    lines = ["index\tprediction", *(f"{row}\t{label}" for row, label in enumerate(spelled))]
    assert (tmp_path / "glue" / "SST-2.tsv").read_text().splitlines() == lines


def test_submission_of_another_task(use, tmp_path, capsys):
    use("choice")
    assert main(["submit", "run", "--out", str(tmp_path / "glue")]) == 2
    assert "Task t: the GLUE leaderboard takes test of" in capsys.readouterr().err
    assert not (tmp_path / "glue").exists()
