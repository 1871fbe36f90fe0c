"""The demo: its table, its sentences, its examples, and the commands that it prints."""

import re
import shlex
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from maskjax.cli.demo.comparison import Comparison
from maskjax.cli.demo.examples import Example, draw_examples, example_table
from maskjax.cli.demo.settings import DemoSettings, demo_config
from maskjax.cli.demo.summary import Memory, next_commands, score_table, sentences
from maskjax.cli.main import main
from maskjax.inference import load_run
from maskjax.taskfile import TASK_FILE, load_task_file
from maskjax.tasks import LoadedTask, Split, Task
from maskjax.tasks.docstrings import corpus
from maskjax.tasks.docstrings.sources import source_files
from maskjax.training import RunResult

pytest.importorskip("matplotlib")

TASKS = ("docstrings/ending", "docstrings/order")


@pytest.fixture(scope="module", autouse=True)
def _first_files():
    """The tasks read the first files of each package: what a demo does depends on no more."""
    with pytest.MonkeyPatch.context() as patch:
        name = "maskjax.tasks.docstrings.sentences.source_files"
        patch.setattr(name, lambda folder: islice(source_files(folder), 60))
        corpus.cache_clear()
        yield
    corpus.cache_clear()


@pytest.fixture(scope="module")
def demo(tmp_path_factory, toy_base):
    """A demo on few rows: its output folder, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "runs"
    options = ["--train-rows", "64", "--eval-rows", "50", "--max-length", "16"]
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("maskjax.cli.demo.Console", lambda: Recording(lines))
        assert main(["demo", "--out", str(out), "--model", str(toy_base), *options]) == 0
    return out, "".join(lines)


class Recording(Console):
    """A console of 80 columns that keeps what it prints."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(width=80, force_terminal=False)
        self._lines = lines

    def print(self, *objects, **options) -> None:
        with self.capture() as capture:
            super().print(*objects, **options)
        self._lines.append(capture.get())


def printed_commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^  (maskjax .*)$", text, re.MULTILINE)]


def test_every_task_has_two_runs_and_a_picture(demo):
    out, _ = demo
    runs = {f"{task.replace('/', '-')}-{way}" for task in TASKS for way in ("mask", "finetune")}
    assert {path.name for path in out.iterdir() if path.is_dir()} == runs
    for task in TASKS:
        picture = out / f"{task.replace('/', '-')}-mask.png"
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_lines_fit_80_columns(demo):
    out, text = demo
    ours = text[text.index("task file") :]
    for line in ours.splitlines():
        assert len(line) <= 80 or line.startswith("  maskjax ") or str(out) in line


def test_memory_is_that_of_base_masks_and_copies(demo, toy_base):
    """The same bytes, counted from the shapes in the task files and the base's checkpoint."""
    from safetensors.numpy import load_file

    out, text = demo
    mask, copy = (
        load_task_file(out / f"docstrings-ending-{way}" / TASK_FILE) for way in ("mask", "finetune")
    )
    bits = sum(int(np.prod(one.shape)) for one in mask.masks.values())
    head = sum(array.nbytes for array in mask.delta.weights.values())
    base = sum(array.nbytes for array in load_file(toy_base / "model.safetensors").values())
    copied = sum(array.nbytes for array in copy.delta.weights.values())
    words = " ".join(text.split())
    assert f"100 such tasks take {(base + 100 * (bits / 8 + head)) / 1e6:.1f} MB" in words
    assert f"100 finetuned copies take {100 * copied / 1e6:.1f} MB" in words


def test_printed_commands_run(demo, capsys):
    _, text = demo
    predict, info, train = printed_commands(text)
    assert [words[1] for words in (predict, info, train)] == ["predict", "info", "train"]
    assert main(predict[1:]) == 0
    assert main(info[1:]) == 0
    assert "weights dropped" in capsys.readouterr().out
    few = ["--task.train-rows", "64", "--task.max-length", "16", "--train.epochs", "1"]
    assert main([*train[1:], *few]) == 0


def test_examples_are_drawn_by_the_seed_from_all_rows(demo):
    out, _ = demo
    predictor = load_run(out / "docstrings-order-mask")
    rows = predictor.load_rows().splits["test"]
    drawn = {example.texts for seed in range(12) for example in draw_examples(predictor, seed)}
    assert len(drawn) > 0.6 * len(rows.texts)
    assert draw_examples(predictor, 3) == draw_examples(predictor, 3)
    assert draw_examples(predictor, 3) != draw_examples(predictor, 4)


def test_examples_have_the_truths_of_their_rows(demo):
    out, _ = demo
    predictor = load_run(out / "docstrings-order-mask")
    rows = predictor.load_rows().splits["test"]
    truths = {texts: texts[1 + label] for texts, label in zip(rows.texts, rows.labels, strict=True)}
    for example in draw_examples(predictor, 0):
        assert example.truth == truths[example.texts]
        assert (example.verdict == "right") == (example.predicted == example.truth)
        assert example.probability is not None
        assert example.probability >= 0.5


class Fake:
    """A saved run of one kind of task with constant logits."""

    def __init__(self, kind, texts, labels, logits) -> None:
        names = () if kind == "regression" else ("O", "B-X")
        self.task = Task(name="t", kind=kind, labels=names)
        self._rows = Split(texts, np.array(labels), kind)
        self._logits = logits

    def load_rows(self) -> LoadedTask:
        return LoadedTask(self.task, {"train": self._rows, "dev": self._rows})

    def encode(self, split) -> Split:
        return split

    def logits(self, split) -> np.ndarray:
        return np.array([self._logits] * len(split.texts))


def test_predicted_numbers_have_no_verdict():
    fake = Fake("regression", [("a", "b")], [2.0], [1.5])
    assert draw_examples(fake, 0) == [Example(("a", "b"), "1.500", None, "2.000")]
    assert draw_examples(fake, 0)[0].verdict == ""


def test_predicted_choices_are_named_by_their_texts():
    fake = Fake("choice", [("a", "b", "c")], [0], [np.log(0.3), np.log(0.7)])
    assert draw_examples(fake, 0) == [Example(("a", "b", "c"), "c", pytest.approx(0.7), "b")]
    assert draw_examples(fake, 0)[0].verdict == "wrong"


def test_sentences_of_labeled_words_are_shown_without_predictions():
    fake = Fake("tokens", [("a", "b")], [0, 1], [0.0, 1.0])
    assert draw_examples(fake, 0) == [Example(("a", "b"), "", None, "")]


def comparison(**changes) -> Comparison:
    runs = {
        method: RunResult(Path(f"runs/{method}"), {"dev": score, "test": score}, 9, size, 61.4, 0.1)
        for method, score, size in (("mask", 0.8, 500_000), ("finetune", 0.81, 90_000_000))
    }
    values = {
        "task": "someone/a-data-set",
        "kind": "classification",
        "metric": "accuracy",
        "split": "test",
        "rows": 1000,
        "baselines": {"most frequent label": 0.5, "bag of words (tf-idf)": 0.6},
        **runs,
    }
    return Comparison(**(values | changes))


def render(table) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_table_fits_80_columns_without_a_broken_cell():
    text = render(score_table([comparison()]))
    assert re.search(r"someone/a-data-set +most frequent label +50\.0", text)
    assert re.search(r"bag of words \(tf-idf\) +60\.0", text)
    assert re.search(r"finetuning +81\.0 +90\.0 MB +61", text)


def test_sentences_compare_with_finetuning_and_the_best_baseline():
    paragraphs = list(sentences([comparison()], Memory(10**8, 10**6, 10**8), [Path("x.png")]))
    assert "scores 80.0 (accuracy on 1,000 test rows), 1.0 points below finetuning" in paragraphs[0]
    assert "20.0 points above the best baseline" in paragraphs[0]
    assert "bag of words (tf-idf)" in paragraphs[0]
    assert "180 times" in paragraphs[1]
    assert "100 such tasks take 200.0 MB" in paragraphs[2]
    assert "x.png" in paragraphs[3]


def test_tasks_without_baselines_are_compared_with_finetuning_only():
    (first, *_) = sentences([comparison(baselines={})], Memory(1, 1, 1), [])
    assert "baseline" not in first
    assert first.endswith("below finetuning.")


@pytest.mark.parametrize(
    ("kind", "texts", "options"),
    [
        ("classification", ("it's",), '--text "it\'s"'),
        ("classification", ("a", "b"), "--text a --second b"),
        ("choice", ("a", "b", "c"), "--text a --second b c"),
        ("tokens", ("a", "b"), "--text 'a b'"),
    ],
)
def test_predict_command_has_the_texts_of_the_row(kind, texts, options):
    given, row = DemoSettings(), Example(texts, "", None, "")
    line = next_commands(given, comparison(kind=kind), row)[0]
    assert shlex.split(line) == shlex.split(f"maskjax predict runs/mask {options}")


def test_examples_table_marks_right_and_wrong():
    rows = [Example(("x",), "a", 0.9, "a"), Example(("y",), "a", 0.6, "b")]
    text = render(example_table(comparison(), rows))
    assert re.search(r"x +a +0\.90 +a +right", text)
    assert re.search(r"y +a +0\.60 +b +wrong", text)


def test_methods_differ_in_nothing_but_method_and_rate():
    mask, finetune = (demo_config(DemoSettings(), "t", way) for way in ("mask", "finetune"))
    assert mask.optimizer.learning_rate > finetune.optimizer.learning_rate
    assert (mask.task, mask.train, mask.model) == (finetune.task, finetune.train, finetune.model)


def test_missing_packages_are_named_before_any_work(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    message = capsys.readouterr().err
    assert 'needs matplotlib; pip install "maskjax[demo]"' in message
    assert not (tmp_path / "demo").exists()


def test_rows_follow_the_kind_of_task_unless_they_are_given():
    sizes = {}
    for task in (*TASKS, "docstrings/kind"):
        config = demo_config(DemoSettings(), task, "mask")
        sizes[task] = (config.task.train_rows, config.train.epochs, config.train.batch_size)
    assert list(sizes.values()) == [(2000, 1, 16), (2000, 1, 16), (3000, 1, 16)]
    config = demo_config(DemoSettings(train_rows=7, epochs=5), TASKS[0], "mask")
    assert (config.task.train_rows, config.train.epochs) == (7, 5)


def test_existing_folders_are_kept(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "already exists" in capsys.readouterr().err
