"""ONNX files compute what maskjax computes, for other numbers of rows and tokens than in export."""

import importlib.util

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.export import export_onnx
from maskjax.tasks import Split, encode
from maskjax.tasks.tokenizer_convert import load_with_transformers


def test_onnx_logits_match_for_every_family(family, predictor_of, sentences, tmp_path):
    for package in ("torch", "onnx", "onnxscript"):
        pytest.importorskip(package, reason='needs pip install "maskjax[onnx]"')
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, the oracle")
    predictor = predictor_of(family)
    export_onnx(predictor, tmp_path / "out")
    session = runtime.InferenceSession(tmp_path / "out" / "model.onnx")
    for rows in (sentences(1)[:1], sentences(1)):
        split = Split(rows, np.zeros(len(rows), np.int32))
        ours = predictor.logits(encode(split, predictor.tokenizer, 24))
        assert np.abs(ours - onnx_logits(session, predictor, rows)).max() <= 1e-5
    assert (tmp_path / "out" / "tokenizer.json").is_file()
    assert (tmp_path / "out" / "config.json").is_file()


def onnx_logits(session, predictor, rows):
    tokenizer = load_with_transformers(predictor.base.folder)
    texts = [text for (text,) in rows]
    batch = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="np")
    inputs = {i.name: batch[i.name].astype(np.int64) for i in session.get_inputs()}
    return session.run(["logits"], inputs)[0]


def test_missing_package_is_named_with_its_extra(predictor_of, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(InputError, match=r'onnxscript; pip install "maskjax\[onnx\]"'):
        export_onnx(predictor_of("bert"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
