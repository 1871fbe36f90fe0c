"""Every family and type of task through the task file, the predictor and PyTorch."""

import importlib

import jax
import numpy as np
import pytest

from maskjax import Predictor
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.export import export_hf, export_torch_masks
from maskjax.export.huggingface import to_torch
from maskjax.export.recognized_head import recognize_head
from maskjax.masking import flatten_with_paths
from maskjax.models import ARCHITECTURES, load_base, normalize_name
from maskjax.tasks.tokenizer_convert import load_with_transformers

torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()
shipped = importlib.import_module("maskjax.export.maskjax_torch")

TESTED_ELSEWHERE = ("bert", "roberta", "distilbert")
AUTO = {
    "classification": transformers.AutoModelForSequenceClassification,
    "regression": transformers.AutoModelForSequenceClassification,
    "tokens": transformers.AutoModelForTokenClassification,
    "choice": transformers.AutoModelForMultipleChoice,
}


@pytest.fixture(params=sorted(set(ARCHITECTURES) - set(TESTED_ELSEWHERE)))
def family(request) -> str:
    return request.param


def make_inputs(predictor, sentences) -> dict[str, np.ndarray]:
    columns = zip(*sentences(len(predictor.task.text), 12), strict=True)
    options = {"padding": True, "truncation": True, "max_length": 24, "return_tensors": "np"}
    inputs = load_with_transformers(predictor.base.folder)(*map(list, columns), **options)
    return {name: array.astype(np.int32) for name, array in inputs.items()}


def tolerance(logits) -> float:
    """Float32 rounds in proportion; the logits of these random models reach eight."""
    return 1e-5 * max(1, np.abs(logits).max() / 4)


def torch_logits(model, predictor, inputs):
    names = ["input_ids", "attention_mask"]
    names += ["token_type_ids"] if predictor.base.config.uses_token_types else []
    shape = (-1, 2, 24) if predictor.task.kind == "choice" else (-1, 24)
    length = inputs["input_ids"].shape[1]
    tensors = {
        name: torch.tensor(inputs[name].astype(np.int64).reshape(*shape[:-1], length))
        for name in names
    }
    with torch.no_grad():
        return model.eval()(**tensors).logits.numpy()


@pytest.mark.parametrize("kind", AUTO)
def test_exports_compute_what_the_run_computes(  # noqa: PLR0917
    family, kind, predictor_of, base_of, sentences, tmp_path
):
    predictor = predictor_of(family, kind)
    if kind in ARCHITECTURES[family].without_class:
        named = {"choice": "MultipleChoice", "tokens": "TokenClassification"}[kind]
        class_name = f"{ARCHITECTURES[family].torch_name}For{named}"
        with pytest.raises(InputError, match=f"transformers has no {class_name}, so"):
            export_hf(predictor, tmp_path / "hf")
        return
    inputs = make_inputs(predictor, sentences)
    ours = np.asarray(jax.jit(predictor.model.apply)(predictor.params, inputs))
    assert ours.std() > 1e-2

    export_hf(predictor, tmp_path / "hf")
    exported, info = AUTO[kind].from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not any(info.values()), info
    assert type(exported).__name__ == exported.config.architectures[0]
    # No logits of padding, whose neighbors under a window may all be padding.
    seen = inputs["attention_mask"] > 0 if kind == "tokens" else slice(None)
    assert np.abs(ours - torch_logits(exported, predictor, inputs))[seen].max() <= tolerance(ours)
    assert load_base(tmp_path / "hf").config.family == family

    export_torch_masks(predictor, tmp_path / "masks")
    live = AUTO[kind].from_pretrained(base_of(family))
    before = [parameter.clone() for parameter in live.parameters()]
    shipped.apply(live, shipped.load_task(tmp_path / "masks"))
    assert np.abs(ours - torch_logits(live, predictor, inputs))[seen].max() <= tolerance(ours)
    shipped.undo(live)
    assert all(map(torch.equal, live.parameters(), before))


@pytest.mark.parametrize("matrix_types", [("query",), ("value", "gate"), ("intermediate", "key")])
def test_masks_of_a_part_of_a_fused_matrix_apply_to_it_alone(
    matrix_types, predictor_of, base_of, sentences, tmp_path
):
    predictor = predictor_of("modernbert", matrix_types=matrix_types)
    inputs = make_inputs(predictor, sentences)
    ours = np.asarray(jax.jit(predictor.model.apply)(predictor.params, inputs))
    export_torch_masks(predictor, tmp_path / "masks")
    live = AUTO["classification"].from_pretrained(base_of("modernbert"))
    shipped.apply(live, shipped.load_task(tmp_path / "masks"))
    assert np.abs(ours - torch_logits(live, predictor, inputs)).max() <= tolerance(ours)


@pytest.mark.parametrize("kind", AUTO)
def test_a_head_is_recognized_by_its_tensors(family, kind, predictor_of):
    predictor = predictor_of(family, kind)
    state = to_torch(flatten_with_paths(predictor.params), family)
    names = {normalize_name(name, family) for name in state}
    outputs = 1 if kind == "choice" else predictor.task.num_outputs
    recognized = recognize_head(names, family, outputs)
    assert recognized is not None
    assert recognized.may_be(kind)


def test_a_mixed_batch_equals_each_task_alone(family, base_of, task_of, write_run, tmp_path):
    blocks = (0, 0) if family == "albert" else (1, 2)
    settings = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=blocks)
    runs = [
        write_run(base_of(family), task_of("classification"), settings, tmp_path / name, seed)
        for seed, name in enumerate("ab")
    ]
    texts, tasks = ["a b c", "d e f g h i", "k l", "m"], ["a", "b", "b", "a"]
    mixed = Predictor(base_of(family), tasks=runs)(texts, tasks=tasks)
    for task, run in zip("ab", runs, strict=True):
        alone = Predictor(base_of(family), tasks=[run])(texts, tasks=[task] * len(texts))
        for place in (place for place, name in enumerate(tasks) if name == task):
            ours, expected = mixed[place][0], alone[place][0]
            assert ours["label"] == expected["label"]
            assert ours["score"] == pytest.approx(expected["score"], abs=1e-5)
