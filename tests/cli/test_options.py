"""Masking schemes, ensembles and vectors from the command line."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from maskjax import inference
from maskjax import models as models_package
from maskjax.cli.common import RunOptions
from maskjax.cli.main import main
from maskjax.inference import load_run
from maskjax.tasks import encode, load_task

SCHEMES = ("threshold", "sign", "bernoulli")
SPARSITY = 0.05


@pytest.fixture(scope="module")
def runs(tmp_path_factory, toy_base, toy_rows) -> dict[str, Path]:
    """A run of each masking scheme of the paper's reference code."""
    folder = tmp_path_factory.mktemp("schemes")
    for scheme in SCHEMES:
        values = {
            "model.base": toy_base,
            "task.name": "toy",
            "task.path": toy_rows,
            "task.text": "text",
            "task.label": "label",
            "task.max-length": 16,
            "adaptation.binarizer": scheme,
            "adaptation.initializer": "uniform",
            "adaptation.sparsity": SPARSITY,
            "optimizer.learning-rate": 0.01,
            "train.epochs": 12,
            "train.eval-every": 36,
            "train.buckets": 16,
            "train.batch-size": 16,
        }
        words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
        assert main(["train", *words, "--out", str(folder / scheme)]) == 0
    return {scheme: folder / scheme for scheme in SCHEMES}


def rows(text: str) -> dict[str, list[str]]:
    """The cells of a printed table by the first of each line."""
    cells = [line.strip("│ ").split("│") for line in text.splitlines() if "│" in line]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in cells}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_trains_and_is_the_same_mask_in_each_evaluation(runs, scheme, capsys):
    result = json.loads((runs[scheme] / "result.json").read_text())
    assert result["scores"]["dev"] > 0.6  # 0.51 by guessing
    if scheme == "bernoulli":  # a weight is dropped once that is likelier than not
        assert result["sparsity"] < SPARSITY / 2
    else:  # it starts at this sparsity, and many scores have crossed since then
        assert SPARSITY + 0.02 < result["sparsity"] < 0.5
    for _ in range(2):
        assert main(["evaluate", str(runs[scheme])]) == 0
        shown = rows(capsys.readouterr().out)
        for split, score in result["scores"].items():
            assert shown[split][1] == f"{score:.4f}"


@pytest.mark.parametrize("by", ["logits", "probabilities", "vote"])
def test_ensemble_is_scored_with_its_members(runs, by, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    folders = [str(folder) for folder in runs.values()]
    assert main(["ensemble", *folders, "--by", by]) == 0
    shown = rows(capsys.readouterr().out)
    truth, logits = member_logits(runs)
    for folder, member in zip(folders, logits, strict=True):
        assert shown[folder][0] == f"{(member.argmax(1) == truth).mean():.4f}"
    odds = np.array([member[:, 1] - member[:, 0] for member in logits], np.float64)
    together = {
        "logits": odds.sum(0) > 0,
        "probabilities": (1 / (1 + np.exp(-odds))).mean(0) > 0.5,
        "vote": (odds > 0).sum(0) >= 2,
    }[by]
    assert shown[f"ensemble by {by}"][0] == f"{(together == truth).mean():.4f}"


def member_logits(runs) -> tuple[np.ndarray, list[np.ndarray]]:
    predictors = [load_run(folder) for folder in runs.values()]
    split = load_task(predictors[0].config.task).splits["dev"]
    return split.labels, [p.logits(encode(split, p.tokenizer, 16)) for p in predictors]


def test_ensemble_members_share_base_and_compiled_model(runs, capsys, monkeypatch):
    loaded, models = [], set()
    load_base, load_run = models_package.load_base, inference.load_run

    def counted(*args, **kwargs):
        loaded.append(args)
        return load_base(*args, **kwargs)

    def watched(*args, **kwargs):
        predictor = load_run(*args, **kwargs)
        models.add(predictor.model.apply)
        return predictor

    monkeypatch.setattr(models_package, "load_base", counted)
    monkeypatch.setattr(inference, "load_run", watched)
    files = [str(folder / "task.safetensors") for folder in runs.values()]
    assert main(["ensemble", *files, "--split", "test"]) == 0
    assert "dev" not in capsys.readouterr().out
    assert (len(loaded), len(models)) == (1, 1)


def test_vectors_match_transformers(runs, tmp_path, capsys):
    """The exported model gives them in PyTorch, text by text; both output forms are compared."""
    torch = pytest.importorskip("torch")
    import transformers

    run, exported = str(runs["threshold"]), tmp_path / "exported"
    assert main(["export", run, "--to", "hf", "--out", str(exported)]) == 0
    split = load_task(load_run(run).config.task).splits["dev"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    model = transformers.BertModel.from_pretrained(exported)
    expected = []
    for (text,) in split.texts:
        ids = tokenizer(text, truncation=True, max_length=16, return_tensors="pt")
        with torch.no_grad():
            states = model(**ids, output_hidden_states=True).hidden_states
        expected.append([state[0, 0].numpy() for state in states])
    labels = [("negative", "positive")[label] for label in split.labels]

    assert main(["vectors", run, "--out", str(tmp_path / "cls.npy")]) == 0
    assert "41 vectors of 16" in capsys.readouterr().out
    found = np.load(tmp_path / "cls.npy", allow_pickle=False)
    np.testing.assert_allclose(found["vector"], [states[-1] for states in expected], atol=1e-4)
    assert found["label"].tolist() == labels
    assert main(["vectors", run, "--out", str(tmp_path / "cls.tsv"), "--layer", "1"]) == 0
    lines = [line.split("\t") for line in (tmp_path / "cls.tsv").read_text().splitlines()]
    assert [first for first, *_ in lines] == ["label", *labels]
    numbers = np.array([rest for _, *rest in lines[1:]], np.float64)
    np.testing.assert_allclose(numbers, [states[1] for states in expected], atol=1e-4)


def test_vectors_without_dev_rows_use_the_holdout(runs, toy_rows, tmp_path, monkeypatch):
    (tmp_path / "rows").mkdir()
    shutil.copy(toy_rows / "train.tsv", tmp_path / "rows")
    predictor = load_run(runs["threshold"])
    task = dataclasses.replace(predictor.config.task, path=str(tmp_path / "rows"), holdout=0.1)
    config = dataclasses.replace(predictor.config, task=task)
    predictor = predictor._replace(config=config)
    monkeypatch.setattr(RunOptions, "load", lambda _: predictor)
    holdout = load_task(task).splits["holdout"]
    assert main(["vectors", "run", "--out", str(tmp_path / "cls.tsv")]) == 0
    _, *lines = (tmp_path / "cls.tsv").read_text().splitlines()
    found = [line.split("\t")[0] for line in lines]
    assert found == [predictor.task.labels[label] for label in holdout.labels]


def test_rows_that_are_left_out_are_noted(runs, tmp_path, monkeypatch, capsys):
    load = inference.load_run

    def on_few_rows(*args, **kwargs):
        predictor = load(*args, **kwargs)
        task = dataclasses.replace(predictor.config.task, eval_rows=20)
        return predictor._replace(config=dataclasses.replace(predictor.config, task=task))

    monkeypatch.setattr(inference, "load_run", on_few_rows)
    folder = str(runs["sign"])
    vectors = ["vectors", folder, "--out", str(tmp_path / "cls.npy")]
    for words in (vectors, ["ensemble", folder, folder]):
        assert main([*words, "--split", "dev"]) == 0
        out, error = capsys.readouterr()
        assert "note: split dev: 20 of 41 rows are scored" in error
        assert "note" not in out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["ensemble", "RUN"], "at least two runs, got 1"),
        (["ensemble", "RUN", "RUN", "--split", "dve"], "--split"),
        (["ensemble", "RUN", "RUN/none"], "none"),
        (["vectors", "RUN", "--out", "cls.csv"], "--out: expected a name in .tsv or .npy"),
        (["vectors", "RUN", "--out", "cls.tsv", "--layer", "3"], "--layer: expected 0 to 2, got 3"),
        (["vectors", "RUN", "--out", "cls.tsv", "--split", "x"], "--split"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(words, named, runs, tmp_path, capsys):
    words = [word.replace("RUN", str(runs["sign"])) for word in words]
    assert main([word.replace("cls", str(tmp_path / "cls")) for word in words]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
