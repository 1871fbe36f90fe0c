"""Tasks on a live PyTorch model: applied, switched, and undone without a trace."""

import copy
import dataclasses
import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from maskjax.errors import InputError
from maskjax.export import export_hf, export_torch_masks
from maskjax.masking.packed import unpack_bits
from maskjax.tasks import Split, Task, encode
from maskjax.tasks.tokenizer_convert import load_with_transformers

torch = pytest.importorskip("torch", reason="needs PyTorch, for which this export is")
transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()

FOUR = Task(name="four", labels=("n", "e", "s", "w"))


@pytest.fixture(scope="session")
def shipped(predictor_of, tmp_path_factory):
    """The module as a user gets it: out of an exported folder."""
    folder = tmp_path_factory.mktemp("shipped") / "out"
    export_torch_masks(predictor_of("bert"), folder)
    spec = importlib.util.spec_from_file_location("maskjax_torch", folder / "maskjax_torch.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["maskjax_torch"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["maskjax_torch"]


@pytest.fixture
def exported(predictor_of, shipped, tmp_path):
    """Exports a run and loads it: `(predictor, task)`."""

    def make(family, kind="classification", task=None, **adaptation):
        predictor = predictor_of(family, kind, task, **adaptation)
        folder = tmp_path / f"task{len(list(tmp_path.iterdir()))}"
        export_torch_masks(predictor, folder)
        return predictor, shipped.load_task(folder)

    return make


@pytest.fixture
def live(base_of):
    """Loads a base as a user of PyTorch does, with a head of its own."""

    def make(family, **options):
        torch.manual_seed(7)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            base_of(family), num_labels=2, **options
        )
        return model.eval()

    return make


def encoded_rows(predictor, rows):
    split = Split(rows, np.zeros(len(rows), np.int32))
    return encode(split, predictor.tokenizer, predictor.config.task.max_length)


def logits_of(model, predictor, rows):
    columns = [list(column) for column in zip(*rows, strict=True)]
    length = predictor.config.task.max_length
    inputs = load_with_transformers(predictor.base.folder)(
        *columns, padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    if predictor.base.config.family != "bert":
        inputs.pop("token_type_ids")
    with torch.no_grad():
        return model(**inputs).logits.float().numpy()


def snapshot(model):
    return {name: (value, value.detach().clone()) for name, value in model.named_parameters()}


def assert_as_before(model, before):
    after = dict(model.named_parameters())
    assert list(after) == list(before)
    for name, (parameter, values) in before.items():
        assert after[name] is parameter, name
        assert torch.equal(parameter, values), name
    assert not [module for module in model.modules() if module._forward_pre_hooks]
    assert not [name for name, _ in model.named_buffers() if name.endswith("_mask")]


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_applied_logits_match_for_every_family(family, kind, exported, live, shipped, sentences):  # noqa: PLR0917
    predictor, task = exported(family, kind)
    rows, model = sentences(len(predictor.task.text)), live(family)
    before = snapshot(model)
    shipped.apply(model, task)
    theirs = logits_of(model, predictor, rows)
    ours = predictor.logits(encoded_rows(predictor, rows))
    assert theirs.std() > 1e-2
    assert np.abs(ours - theirs).max() <= 1e-5
    shipped.undo(model)
    assert_as_before(model, before)


@pytest.mark.parametrize("adaptation", [{"head": "both", "biases": True}, {"head": "trained"}])
def test_applied_logits_match_with_other_heads(adaptation, exported, live, shipped, sentences):
    predictor, task = exported("distilbert", **adaptation)
    model = live("distilbert")
    shipped.apply(model, task)
    theirs = logits_of(model, predictor, sentences(1))
    ours = predictor.logits(encoded_rows(predictor, sentences(1)))
    assert np.abs(ours - theirs).max() <= 1e-5


def test_applied_masks_have_the_layout_of_torch_prune(exported, live, shipped, predictor_of):
    predictor, task = exported("bert")
    model = live("bert")
    module = model.bert.encoder.layer[2].output.dense
    parameter = module.weight
    shipped.apply(model, task)
    mask = predictor.file.masks["encoder/layer/2/output/dense/kernel"].unpack().T
    assert module.weight_orig is parameter
    assert isinstance(module.weight_orig, torch.nn.Parameter)
    np.testing.assert_array_equal(dict(module.named_buffers())["weight_mask"], mask)
    assert torch.equal(module.weight, parameter * torch.tensor(mask))
    assert torch.nn.utils.prune.is_pruned(module)


def test_switching_changes_head_and_labels_and_undo_restores(exported, live, shipped, sentences):
    rows = sentences(1)
    three, four = exported("roberta", sparsity=0.2), exported("roberta", task=FOUR, head="trained")
    model = live("roberta")
    before, untouched = snapshot(model), logits_of(model, three[0], rows)
    for predictor, task in (three, four, three):
        shipped.switch(model, task)
        ours = predictor.logits(encoded_rows(predictor, rows))
        assert np.abs(ours - logits_of(model, predictor, rows)).max() <= 1e-5
        assert tuple(model.config.id2label.values()) == predictor.task.labels
        assert model.num_labels == model.config.num_labels == len(predictor.task.labels)
        assert model.classifier.out_proj.out_features == model.num_labels
    assert shipped.undo(model) is three[1]
    assert_as_before(model, before)
    np.testing.assert_array_equal(logits_of(model, three[0], rows), untouched)
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert model.classifier.out_proj.out_features == model.num_labels == 2
    assert shipped.undo(model) is None


def test_labels_reach_a_pipeline_and_a_loss(exported, live, shipped):
    predictor, task = exported("bert", task=FOUR)
    model = live("bert")
    shipped.apply(model, task)
    tokenizer = load_with_transformers(predictor.base.folder)
    classify = transformers.pipeline(
        "text-classification", model=model, tokenizer=tokenizer, device="cpu"
    )
    best = predictor.logits(encoded_rows(predictor, [("a b c",)])).argmax()
    assert classify("a b c")[0]["label"] == predictor.task.labels[best]
    inputs = tokenizer(["a b", "c"], padding=True, return_tensors="pt")
    model(**inputs, labels=torch.tensor([3, 0])).loss.backward()
    zeros = model.bert.encoder.layer[1].output.dense.weight_mask == 0
    assert not model.bert.encoder.layer[1].output.dense.weight_orig.grad[zeros].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_undo_keeps_half_precision_set_before_or_after(dtype, exported, live, shipped, sentences):
    predictor, task = exported("bert")
    rows = sentences(1)
    ours = predictor.logits(encoded_rows(predictor, rows))
    early, late = live("bert").to(dtype), live("bert")
    original = live("bert").to(dtype).state_dict()
    shipped.apply(early, task)
    shipped.apply(late, task)
    late.to(dtype)
    np.testing.assert_array_equal(
        logits_of(early, predictor, rows), logits_of(late, predictor, rows)
    )
    assert np.abs(logits_of(late, predictor, rows) - ours).max() < 0.5
    for model in (early, late):
        shipped.undo(model)
        assert {value.dtype for value in model.parameters()} == {dtype}
        assert all(torch.equal(model.state_dict()[name], original[name]) for name in original)


def test_undo_follows_the_model_to_another_device(exported, live, shipped):
    """The device meta holds no numbers, but a tensor on it has that device."""
    _, task = exported("bert")
    model = live("bert")
    shipped.apply(model, task)
    model.to("meta")
    shipped.undo(model)
    assert {value.device.type for value in model.parameters()} == {"meta"}


def test_a_shared_parameter_stays_shared(exported, live, shipped):
    _, task = exported("bert")
    model = live("bert")
    layers = model.bert.encoder.layer
    layers[0].output.dense.weight = layers[2].output.dense.weight
    values = layers[0].output.dense.weight.clone()
    shipped.apply(model, task)
    assert torch.equal(layers[0].output.dense.weight, values)
    shipped.undo(model)
    assert layers[0].output.dense.weight is layers[2].output.dense.weight
    assert torch.equal(layers[0].output.dense.weight, values)


def test_undoing_a_copy_leaves_the_original(exported, live, shipped):
    _, task = exported("bert")
    model = live("bert")
    shipped.apply(model, task)
    twin = copy.deepcopy(model)
    shipped.undo(twin)
    assert shipped.current(twin) is None
    assert shipped.current(model) is task
    assert hasattr(model.bert.encoder.layer[1].output.dense, "weight_orig")


def test_unfit_task_is_refused_and_changes_nothing(exported, live, shipped):
    _, task = exported("bert")
    _, other = exported("roberta")
    model = live("bert")
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"is a BertFor.+expected a RobertaFor"):
        shipped.apply(model, other)
    with torch.no_grad():
        model.bert.encoder.layer[1].output.dense.weight.add_(1e-4)
    with pytest.raises(ValueError, match="other values than in the base"):
        shipped.apply(model, task)
    with torch.no_grad():
        for name, (parameter, values) in before.items():
            assert dict(model.named_parameters())[name] is parameter
            parameter.copy_(values)
    shipped.apply(model, task)
    with pytest.raises(ValueError, match="already"):
        shipped.apply(model, task)
    with pytest.raises(ValueError, match="is a BertFor"):
        shipped.switch(model, other)
    assert shipped.current(model) is task
    shipped.undo(model)
    assert_as_before(model, before)


def test_failed_apply_is_rolled_back(exported, live, shipped, monkeypatch):
    _, task = exported("bert", head="both")
    model = live("bert")
    before, calls = snapshot(model), []
    unpack = shipped.unpack

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise MemoryError
        return unpack(*arguments)

    monkeypatch.setattr(shipped, "unpack", fail)
    with pytest.raises(MemoryError):
        shipped.apply(model, task)
    assert_as_before(model, before)


def test_exported_files_hold_masks_and_description(predictor_of, tmp_path, shipped):
    predictor = predictor_of("distilbert")
    export_torch_masks(predictor, tmp_path / "out")
    info = json.loads((tmp_path / "out" / "task.json").read_text())
    masks = load_file(tmp_path / "out" / "masks.safetensors")
    ours = predictor.file.masks["encoder/layer/1/intermediate/dense/kernel"].unpack()
    name = "distilbert.transformer.layer.1.ffn.lin1.weight"
    np.testing.assert_array_equal(unpack_bits(masks[name], tuple(info["shapes"][name])), ours.T)
    assert len(masks) == len(predictor.file.masks)
    assert info["labels"] == ["low", "middle", "high"]
    assert info["architecture"] == "DistilBertForSequenceClassification"
    assert info["max_length"] == 24
    (tmp_path / "out" / "task.json").write_text(json.dumps({**info, "format": 2}))
    with pytest.raises(ValueError, match="format 2"):
        shipped.load_task(tmp_path / "out")


def test_the_shipped_module_needs_no_jax(predictor_of, tmp_path):
    export_torch_masks(predictor_of("bert"), tmp_path / "out")
    code = (
        "import sys\n"
        "for name in ('jax', 'jaxlib', 'maskjax', 'transformers'): sys.modules[name] = None\n"
        "import maskjax_torch\n"
        "print(maskjax_torch.load_task('.').info['name'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "out", check=True, capture_output=True
    )
    assert result.stdout.strip() == b"toy"


def test_export_of_other_methods_suggests_hf(predictor_of, tmp_path):
    with pytest.raises(InputError, match=r"lora .+ use --to hf"):
        export_torch_masks(predictor_of("bert", method="lora"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_of_a_reinitialized_base_is_refused(predictor_of, tmp_path):
    predictor = predictor_of("bert")
    model = dataclasses.replace(predictor.config.model, reinit=("output",))
    drawn = predictor._replace(config=dataclasses.replace(predictor.config, model=model))
    with pytest.raises(InputError, match=r"re-initialized, .+ use --to hf"):
        export_torch_masks(drawn, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_both_exports_give_the_same_logits(predictor_of, live, shipped, sentences, tmp_path):
    predictor = predictor_of("bert", head="both")
    export_hf(predictor, tmp_path / "hf")
    export_torch_masks(predictor, tmp_path / "masks")
    whole = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "hf").eval()
    model = live("bert")
    shipped.apply(model, shipped.load_task(tmp_path / "masks"))
    np.testing.assert_array_equal(
        logits_of(model, predictor, sentences(1)), logits_of(whole, predictor, sentences(1))
    )
