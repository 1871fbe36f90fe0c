"""Tasks on words and on choices, to PyTorch and back: every family, every form."""

import importlib
import json

import jax
import numpy as np
import pytest

from maskjax.config import Config, TaskConfig
from maskjax.errors import InputError
from maskjax.export import export_hf, export_onnx, export_torch_masks, import_state
from maskjax.export.huggingface import to_torch
from maskjax.export.imported_run import imported_task
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base
from maskjax.tasks.tokenizer_convert import load_with_transformers

torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()
shipped = importlib.import_module("maskjax.export.maskjax_torch")

KINDS = ("tokens", "choice")
AUTO = {
    "tokens": transformers.AutoModelForTokenClassification,
    "choice": transformers.AutoModelForMultipleChoice,
}


def tokenize(predictor, rows):
    """Rows of texts, those of a choice adjacent, as int64 arrays [rows, seq]."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    options = {"padding": True, "truncation": True, "max_length": 24, "return_tensors": "np"}
    tokenizer = load_with_transformers(predictor.base.folder)
    return {name: a.astype(np.int64) for name, a in tokenizer(*columns, **options).items()}


def our_logits(predictor, rows):
    inputs = {name: a.astype(np.int32) for name, a in tokenize(predictor, rows).items()}
    return np.asarray(jax.jit(predictor.model.apply)(predictor.params, inputs))


def torch_inputs(predictor, rows):
    inputs = tokenize(predictor, rows)
    if predictor.base.config.family != "bert":
        inputs.pop("token_type_ids")
    if predictor.task.kind == "choice":
        inputs = {name: a.reshape(-1, 2, a.shape[-1]) for name, a in inputs.items()}
    return inputs


def torch_logits(model, predictor, rows):
    inputs = {name: torch.tensor(a) for name, a in torch_inputs(predictor, rows).items()}
    with torch.no_grad():
        return model.eval()(**inputs).logits.numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_every_export_form_gives_the_same_logits(  # noqa: PLR0917
    family, kind, predictor_of, base_of, sentences, tmp_path
):
    predictor = predictor_of(family, kind)
    rows = sentences(len(predictor.task.text), 12)
    ours = our_logits(predictor, rows)
    assert ours.std() > 1e-2

    export_hf(predictor, tmp_path / "hf")
    whole, info = AUTO[kind].from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not any(info.values()), info
    assert type(whole).__name__ == whole.config.architectures[0]
    assert np.abs(ours - torch_logits(whole, predictor, rows)).max() <= 1e-5

    export_torch_masks(predictor, tmp_path / "masks")
    live = AUTO[kind].from_pretrained(base_of(family))
    before = [parameter.clone() for parameter in live.parameters()]
    shipped.apply(live, shipped.load_task(tmp_path / "masks"))
    assert np.abs(ours - torch_logits(live, predictor, rows)).max() <= 1e-5
    assert tuple(live.config.id2label.values()) == predictor.task.labels
    shipped.undo(live)
    assert all(map(torch.equal, live.parameters(), before))


def test_a_pipeline_labels_words(predictor_of, tmp_path):
    predictor = predictor_of("roberta", "tokens")
    export_hf(predictor, tmp_path / "out")
    label = transformers.pipeline(
        "token-classification", str(tmp_path / "out"), device="cpu", ignore_labels=[]
    )
    text = "a b c d e f g h"
    theirs = [piece["entity"] for piece in label(text)]
    ours = our_logits(predictor, [(text,)])[0, 1:-1].argmax(axis=1)
    assert theirs == [predictor.task.labels[index] for index in ours]
    assert len(set(theirs)) > 1


@pytest.mark.parametrize(
    ("kind", "said", "tag"),
    [("tokens", "`B-X`", "pipeline_tag: token-classification"), ("choice", "`two`", None)],
)
def test_card_and_config_name_kind_and_labels(kind, said, tag, predictor_of, tmp_path):
    export_hf(predictor_of("roberta", kind), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config.get("problem_type") is None
    assert tuple(config["id2label"].values()) == predictor_of("roberta", kind).task.labels
    card = (tmp_path / "out" / "README.md").read_text()
    assert said in card
    assert (tag in card) if tag else ("pipeline" not in card)


def test_the_code_on_the_card_of_a_choice_runs(predictor_of, tmp_path):
    export_hf(predictor_of("bert", "choice"), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    *lines, last = code.replace("PATH/TO/THIS/FOLDER", str(tmp_path / "out")).strip().split("\n")
    names = {}
    exec("\n".join(lines), names)
    assert names["logits"].shape == (1, 2)
    assert eval(last, names) in ("one", "two")


def test_onnx_has_a_dynamic_number_of_choices(predictor_of, sentences, tmp_path):
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason='needs pip install "maskjax[onnx]"')
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, the oracle")
    predictor = predictor_of("bert", "choice")
    export_onnx(predictor, tmp_path / "out")
    session = runtime.InferenceSession(tmp_path / "out" / "model.onnx")
    rows = sentences(2, 12)
    ours = our_logits(predictor, rows)
    for choices in (2, 4):  # exported with an example of three
        shape = (-1, choices, 24)
        inputs = {name: a.reshape(shape) for name, a in tokenize(predictor, rows).items()}
        theirs = session.run(["logits"], inputs)[0]
        assert np.abs(ours.reshape(-1, choices) - theirs).max() <= 1e-5


def test_a_task_for_another_head_is_refused(predictor_of, base_of, tmp_path):
    export_torch_masks(predictor_of("bert", "tokens"), tmp_path / "masks")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(base_of("bert"))
    with pytest.raises(ValueError, match=r"is a BertForSequence.+expected a BertForToken"):
        shipped.apply(model, shipped.load_task(tmp_path / "masks"))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_the_reference_code_become_masks(family, kind, predictor_of, base_of):
    """A whole model with scores on a block, the head and, where there is one, the pooler."""
    predictor, base = predictor_of(family, kind), load_base(base_of(family))
    random = np.random.default_rng(0)
    state = to_torch(flatten_with_paths(base.params | predictor.params), family)
    if family != "distilbert":
        state.setdefault(f"{family}.pooler.dense.weight", random.normal(size=(16, 16)))
        state.setdefault(f"{family}.pooler.dense.bias", random.normal(size=16))
    masked = [n for n in state if "layer.1" in n and ("dense.weight" in n or "lin" in n)]
    masked = [n for n in masked if n.endswith("weight")] + ["classifier.weight"]
    masked += [n for n in state if n.endswith("pooler.dense.weight")]
    scores = {f"{n}_mask": random.uniform(-0.02, 0.1, state[n].shape) for n in masked}
    imported = import_state(state | scores, base, kind=kind)

    unused = [n for n in scores if "pooler" in n and kind == "tokens"]
    assert list(imported.unused) == unused
    masks = to_torch(imported.delta.masks, family)
    assert {f"{n}_mask" for n in masks} == scores.keys() - set(unused)
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, scores[f"{name}_mask"] > np.float32(0.01))
    head = imported.delta.weights.keys() - set(imported.changed)
    assert ("pooler/dense/kernel" in head) == ((family, kind) == ("roberta", "choice"))
    assert imported.num_outputs == {"tokens": 4, "choice": 1}[kind]


def test_a_head_of_another_kind_is_refused(predictor_of, base_of):
    predictor, base = predictor_of("roberta"), load_base(base_of("roberta"))
    state = to_torch(flatten_with_paths(predictor.params), "roberta")
    state["classifier.dense.weight_mask"] = np.ones((16, 16), np.float32)
    for kind in KINDS:
        with pytest.raises(InputError, match=rf"no head for {kind} .+ another --task.kind"):
            import_state(state, base, kind=kind)


def test_the_names_of_choices_must_be_given():
    config = Config(task=TaskConfig(name="swag", kind="choice"))
    with pytest.raises(InputError, match=r"--task.labels: name the choices"):
        imported_task(config, 1)
