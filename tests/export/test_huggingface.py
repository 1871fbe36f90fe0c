"""transformers loads exported folders, which compute what maskjax computes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.export import export_hf
from maskjax.inference import predict_rows
from maskjax.models import load_base
from maskjax.tasks import Split, Task, encode

METHODS = [
    {"head": "masked"},
    {"head": "both", "biases": True},
    {"granularity": "head", "head": "trained"},
    {"method": "finetune"},
    {"method": "lora"},
    {"method": "bitfit"},
    {"method": "head"},
]


def our_logits(predictor, rows):
    split = Split(rows, np.zeros(len(rows), np.int32))
    return predictor.logits(encode(split, predictor.tokenizer, predictor.config.task.max_length))


def torch_logits(model, tokenizer, rows):
    import torch

    columns = [list(column) for column in zip(*rows, strict=True)]
    inputs = tokenizer(*columns, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**inputs).logits.numpy()


def load(folder):
    pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
    import transformers

    transformers.utils.logging.disable_progress_bar()
    model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(info.values()), info
    return model, transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_exported_logits_match_for_every_family(family, kind, predictor_of, sentences, tmp_path):
    predictor = predictor_of(family, kind)
    rows = sentences(len(predictor.task.text))
    export_hf(predictor, tmp_path / "out")
    theirs = torch_logits(*load(tmp_path / "out"), rows)
    assert theirs.std() > 1e-2
    assert np.abs(our_logits(predictor, rows) - theirs).max() <= 1e-5


@pytest.mark.parametrize("adaptation", METHODS, ids=str)
def test_exported_logits_match_for_every_method(adaptation, predictor_of, sentences, tmp_path):
    predictor = predictor_of("roberta", **adaptation)
    export_hf(predictor, tmp_path / "out")
    theirs = torch_logits(*load(tmp_path / "out"), sentences(1))
    assert np.abs(our_logits(predictor, sentences(1)) - theirs).max() <= 1e-5


def test_pipeline_returns_the_label_names(family, predictor_of, sentences, tmp_path):
    predictor = predictor_of(family)
    export_hf(predictor, tmp_path / "out")
    load(tmp_path / "out")
    import transformers

    classify = transformers.pipeline("text-classification", str(tmp_path / "out"), device="cpu")
    rows = sentences(1)
    theirs = classify([text for (text,) in rows], truncation=True)
    ours = predict_rows(predictor.task, our_logits(predictor, rows))
    assert np.std([p["score"] for p in ours]) > 1e-3
    assert [p["label"] for p in ours] == [p["label"] for p in theirs]
    assert np.allclose([p["score"] for p in ours], [p["score"] for p in theirs], atol=1e-5)


def test_pipeline_returns_the_number_of_a_regression(family, predictor_of, sentences, tmp_path):
    predictor = predictor_of(family, "regression")
    export_hf(predictor, tmp_path / "out")
    load(tmp_path / "out")
    import transformers

    classify = transformers.pipeline("text-classification", str(tmp_path / "out"), device="cpu")
    rows = sentences(2)
    theirs = [classify({"text": a, "text_pair": b}, truncation=True) for a, b in rows]
    ours = our_logits(predictor, rows)[:, 0]
    assert np.allclose(ours, [t["score"] for t in theirs], atol=1e-5)


def test_folder_has_config_card_and_loadable_base(family, predictor_of, tmp_path):
    predictor = predictor_of(family)
    export_hf(predictor, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "low", "1": "middle", "2": "high"}
    assert config["label2id"] == {"low": 0, "middle": 1, "high": 2}
    assert config["problem_type"] == "single_label_classification"
    assert config["architectures"][0].lower() == f"{family}forsequenceclassification"
    assert load_base(tmp_path / "out").config == predictor.base.config
    card = (tmp_path / "out" / "README.md").read_text()
    assert "`middle`" in card
    assert "| dev | 0.5000 |" in card
    assert not any(part.name.endswith(".part") for part in tmp_path.iterdir())


def test_export_works_without_torch(predictor_of, tmp_path):
    predictor = predictor_of("bert")
    run = tmp_path / "run"
    run.mkdir()
    from maskjax.taskfile import TASK_FILE, save_task_file

    save_task_file(run / TASK_FILE, predictor.file)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from maskjax.export import export_hf\n"
        "from maskjax.inference import load_run\n"
        f"export_hf(load_run({str(run)!r}), Path({str(tmp_path / 'out')!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (tmp_path / "out" / "model.safetensors").stat().st_mode & 0o044 == 0o044


def test_a_folder_in_use_is_refused_and_a_failure_leaves_nothing(
    predictor_of, tmp_path, monkeypatch
):
    predictor = predictor_of("bert")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        export_hf(predictor, tmp_path / "full")
    with pytest.raises(InputError, match="is a file"):
        export_hf(predictor, tmp_path / "full" / "mine.txt")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maskjax.export.huggingface.model_card", fail)
    with pytest.raises(InputError, match="No space left"):
        export_hf(predictor, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_kind_without_a_model_is_refused(predictor_of, tmp_path):
    predictor = predictor_of("bert")
    odd = predictor._replace(task=Task(name="x", kind="poetry"))
    with pytest.raises(InputError, match="cannot export poetry"):
        export_hf(odd, tmp_path / "out")
