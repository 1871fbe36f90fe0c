"""Long documents end to end: trained in windows, saved, scored, predicted and resumed."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from maskjax import Predictor
from maskjax.cli.main import main
from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig
from maskjax.errors import InputError
from maskjax.inference import load_run, predict_rows
from maskjax.training import StoppedError, prepare, run

WORDS = ("film", "the", "a", "was", "very", "book", "play", "song")


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Documents of up to 90 words, all of which say whether they are good."""
    folder, random = tmp_path_factory.mktemp("documents"), np.random.default_rng(0)
    for split, count in {"train": 48, "dev": 20, "test": 12}.items():
        lines = ["text\tlabel"]
        for row in range(count):
            words = random.choice(WORDS, random.integers(4, 90))
            words[random.random(len(words)) < 0.3] = ("bad", "good")[row % 2]
            lines.append(f"{' '.join(words)}\t{('negative', 'positive')[row % 2]}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def long_config(toy_config, documents):
    config = toy_config()
    task = replace(config.task, path=str(documents), max_length=16, stride=4)
    train = TrainConfig(
        batch_size=16, epochs=6, buckets=(16,), eval_every=7, checkpoint_minutes=None
    )
    return toy_config(
        task=task,
        train=train,
        adaptation=AdaptationConfig(blocks=(0, 1), head="trained"),
        optimizer=OptimizerConfig(learning_rate=3e-2, head_learning_rate=1e-2),
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("finished") / "run"


def test_long_documents_train_save_score_and_predict(long_config, finished, documents, tmp_path):
    output = io.StringIO()
    result = run(long_config, finished, console=Console(file=output, width=1000))
    encoded = prepare(long_config).encoded
    windows = sum(split.windows for split in encoded.values())
    assert windows > 2 * sum(split.rows for split in encoded.values())
    said = output.getvalue()
    assert f"{windows} windows that share 4 tokens; 0 texts cut to 16 tokens" in said
    assert "are longer than" not in said
    assert result.scores["test"] > 0.8
    loaded = load_run(finished)
    assert loaded.config.task.stride == 4
    for name in ("dev", "test"):
        split = loaded.load_rows(split=name).splits[name]
        assert loaded.score(split) == pytest.approx(result.scores[name])
    split = loaded.load_rows(split="test").splits["test"]
    predictor = Predictor(long_config.model.base, [finished], buckets=(16,), rows=(1, 4))
    answers = predictor([text for (text,) in split.texts])
    expected = predict_rows(loaded.task, loaded.logits(loaded.encode(split)))
    assert [answer[0]["label"] for answer in answers] == [some["label"] for some in expected]
    scores = [answer[0]["score"] for answer in answers]
    assert scores == pytest.approx([some["score"] for some in expected], abs=1e-5)
    words = ["--input", str(documents / "test.tsv"), "--output", str(tmp_path / "out.jsonl")]
    assert main(["predict", str(finished), *words]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["predicted_label"] for line in lines] == [some["label"] for some in expected]


def test_a_run_with_windows_resumes_bit_for_bit(long_config, finished, tmp_path, sigterm_at):
    if not finished.exists():
        run(long_config, finished)
    with pytest.raises(StoppedError, match="saved at step 9"):
        run(long_config, tmp_path / "run", hooks=[sigterm_at(9)])
    other = replace(long_config, task=replace(long_config.task, stride=5))
    with pytest.raises(InputError, match=r"task.stride: 4 there, 5 now"):
        run(other, tmp_path / "run")
    run(long_config, tmp_path / "run")
    for name in ("task.safetensors", "result.json"):
        here, there = ((folder / name).read_bytes() for folder in (tmp_path / "run", finished))
        if name == "result.json":
            here, there = (json.loads(content)["scores"] for content in (here, there))
        assert here == there


def test_the_same_seed_has_the_same_batches(long_config):
    one, two = (prepare(long_config).encoded["train"] for _ in range(2))
    np.testing.assert_array_equal(one.input_ids.values, two.input_ids.values)
    np.testing.assert_array_equal(one.window_counts, two.window_counts)


def test_cut_rows_are_told_with_the_remedy(long_config, caplog, capsys, finished):
    config = replace(long_config, task=replace(long_config.task, stride=None))
    encoded = prepare(config).encoded
    counts = [f"{split.truncated} of {split.rows} {name}" for name, split in encoded.items()]
    assert caplog.messages == [
        f"note      {' and '.join(counts)} texts are longer than 16 tokens and are cut; to read all"
        " of them, train with --task.max-length up to 32 or --task.stride 4"
    ]


@pytest.mark.parametrize("command", ["predict", "evaluate", "vectors"])
def test_commands_say_how_many_texts_are_cut(long_config, documents, capsys, tmp_path, command):
    folder = documents.parent / "cut-run"
    task = replace(long_config.task, stride=None, train_rows=20, eval_rows=8)
    if not folder.exists():
        run(replace(long_config, task=task, train=replace(long_config.train, epochs=1)), folder)
    options = {
        "predict": ["--text", "the film " * 20, "good"],
        "evaluate": ["--split", "test"],
        "vectors": ["--out", str(tmp_path / "vectors.npy"), "--split", "test"],
    }[command]
    assert main([command, str(folder), *options]) == 0
    said = capsys.readouterr().err
    assert " texts are longer than 16 tokens and are cut; to read all of them, train with" in said
