"""State dicts of the reference code and of torch.nn.utils.prune, written out by hand in NumPy."""

import dataclasses

import numpy as np
import pytest

from maskjax.config import Config, ModelConfig, TaskConfig
from maskjax.errors import InputError
from maskjax.export import import_state, read_state_dict, save_imported
from maskjax.export.huggingface import to_torch
from maskjax.export.imported_run import imported_task
from maskjax.inference import load_run
from maskjax.tasks import Split, encode

BLOCK = "encoder.layer.1"


def as_pruned(state):
    """The same masks as torch.nn.utils.prune writes them."""
    pruned = {}
    for name, array in state.items():
        if name.endswith("_mask"):
            pruned[name] = (array > np.float32(1e-2)).astype(np.float32)
        else:
            pruned[f"{name}_orig" if f"{name}_mask" in state else name] = array
    return pruned


def test_scores_become_masks(family, state_of, masked_modules):
    base, state = state_of(family)
    imported = import_state(state, base)
    masks = to_torch(imported.delta.masks, family)
    assert {name.removesuffix(".weight") for name in masks} == set(masked_modules[family])
    for name, mask in masks.items():
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, state[f"{name}_mask"] > np.float32(0.01))
    head = to_torch(imported.delta.weights, family)
    assert all(name.split(".")[0] in ("classifier", "pre_classifier") for name in head)
    assert head
    for name, weight in head.items():
        np.testing.assert_array_equal(weight, state[name])
    assert imported.num_outputs == 3
    assert imported.changed == imported.unused == ()


def test_prune_state_gives_the_same_import(family, state_of, assert_same_leaves):
    base, state = state_of(family)
    one, two = import_state(state, base), import_state(as_pruned(state), base, threshold=7)
    assert_same_leaves(one, two)


def test_a_score_at_the_threshold_is_dropped(state_of):
    base, state = state_of("bert")
    scores = state["classifier.weight_mask"]
    scores[:] = np.float32(0.01)  # as torch.tensor(0.01) has it
    scores[0, 0] = np.nextafter(np.float32(0.01), np.float32(1))
    mask = import_state(state, base).delta.masks["classifier/kernel"]
    assert mask.sum() == mask[0, 0] == 1
    scores[:], scores[1, 2] = -0.5, 0.001
    mask = import_state(state, base, threshold=0).delta.masks["classifier/kernel"]
    assert mask.sum() == mask[2, 1] == 1


def test_structured_scores_and_biases_are_expanded(state_of):
    base, state = state_of("bert")
    query, dense = f"bert.{BLOCK}.attention.self.query", f"bert.{BLOCK}.output.dense"
    state[f"{query}.weight_mask"] = np.array([1, -1, 1, -1], np.float32)  # 4 heads of 4
    state[f"{query}.structured_mask_expanding"] = np.ones((4, 4), np.float32)
    state[f"{query}.bias_mask"] = np.array([1, -1, 1, -1], np.float32)
    state[f"{dense}.weight_mask"] = np.array([-1], np.float32)
    masks = import_state(state, base).delta.masks
    heads = np.repeat([True, False, True, False], 4)
    path = "encoder/layer/1/attention/self/query"
    np.testing.assert_array_equal(masks[f"{path}/kernel"], np.tile(heads, (16, 1)))
    np.testing.assert_array_equal(masks[f"{path}/bias"], heads)
    assert masks["encoder/layer/1/output/dense/kernel"].shape == (24, 16)
    assert not masks["encoder/layer/1/output/dense/kernel"].any()


def test_unused_pooler_mask_of_roberta_is_reported(state_of):
    base, state = state_of("roberta")
    state["roberta.pooler.dense.weight"] = np.zeros((16, 16), np.float32)
    state["roberta.pooler.dense.weight_mask"] = np.zeros((16, 16), np.float32)
    assert import_state(state, base).unused == ("roberta.pooler.dense.weight_mask",)


def test_weights_that_differ_from_the_base_are_reported(state_of):
    base, state = state_of("bert")
    state["bert.embeddings.LayerNorm.weight"] = state["bert.embeddings.LayerNorm.weight"] + 1
    imported = import_state(state, base)
    assert imported.changed == ("embeddings/LayerNorm/scale",)
    np.testing.assert_array_equal(
        imported.delta.weights["embeddings/LayerNorm/scale"],
        state["bert.embeddings.LayerNorm.weight"],
    )


def cut(state, name):
    state[name] = state[name][1:]


def whole(state):
    return {"classifier.bias": state["classifier.bias"].astype(np.int8)}


DAMAGES = {
    "no masks": (lambda s: [s.pop(n) for n in list(s) if "_mask" in n], "no masks"),
    "no head": (lambda s: [s.pop(n) for n in list(s) if n.startswith("cl")], "it has nothing;"),
    "answers": (
        lambda s: s.update({n.replace("classifier", "qa_outputs"): s.pop(n) for n in list(s)}),
        r"no head .+ besides the encoder it has qa_outputs\.bias, qa_outputs\.w",
    ),
    "prefix": (
        lambda s: s.update({f"net.{n}": s.pop(n) for n in list(s)}),
        r"no head .+ it has net\.",
    ),
    "half a head": (lambda s: s.pop("classifier.bias"), "classifier.bias of the head is missing"),
    "unknown": (lambda s: s.update(extra=np.zeros(1)), "extra unexpected"),
    "shape": (lambda s: cut(s, "bert.embeddings.word_embeddings.weight"), r"\(24, 16\), exp"),
    "mask": (lambda s: cut(s, "bert.pooler.dense.weight_mask"), r"\(15, 16\), expected \(16, 16"),
    "nan": (lambda s: s["classifier.weight_mask"].fill(np.nan), "not finite"),
    "infinite": (
        lambda s: s.update({"classifier.bias": np.full(3, np.inf, np.float32)}),
        "classifier.bias",
    ),
    "integers": (lambda s: s.update(whole(s)), "dtype int8, expected a floating one"),
    "outputs": (lambda s: s.update({"classifier.weight": s["classifier.weight"][:0]}), "0 outputs"),
    "escapes": (lambda s: s.update({"x\x1b[1m\ny": np.zeros(1)}), r"x\\x1b\[1m y unexpected"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_state_dicts_are_refused(damage, state_of):
    change, named = DAMAGES[damage]
    base, state = state_of("bert")
    change(state)
    with pytest.raises(InputError, match=named) as error:
        import_state(state, base)
    assert str(error.value).isprintable()


def test_prune_mask_must_be_zeros_and_ones(state_of):
    base, state = state_of("bert")
    pruned = as_pruned(state)
    pruned["classifier.weight_mask"] *= 0.5
    with pytest.raises(InputError, match="besides 0 and 1"):
        import_state(pruned, base)


def test_reference_code_and_imported_run_have_equal_outputs(
    state_of, masked_modules, sentences, tmp_path
):
    """The forward pass of MaskedLinear1 gives the logits of the imported run."""
    torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
    import transformers

    base, state = state_of("bert")
    torch.save({"epoch": 3, "state": as_tensors(state)}, tmp_path / "best.pt")
    imported = import_state(read_state_dict(tmp_path / "best.pt"), base)
    config = Config(model=ModelConfig(base=str(base.folder)), task=TaskConfig(name="old"))
    save_imported(imported, base, config, tmp_path / "run")
    predictor = load_run(tmp_path / "run")
    assert predictor.task.labels == ("0", "1", "2")
    rows = sentences(1)
    split = Split(rows, np.zeros(len(rows), np.int32))
    ours = predictor.logits(encode(split, predictor.tokenizer, 34))

    oracle = transformers.BertForSequenceClassification(
        transformers.AutoConfig.from_pretrained(base.folder, num_labels=3)
    ).eval()
    for module in masked_modules["bert"]:
        mask = (state[f"{module}.weight_mask"] > np.float32(0.01)).astype(np.float32)
        state[f"{module}.weight"] = state[f"{module}.weight"] * mask
    plain = {n: a for n, a in as_tensors(state).items() if not n.endswith("_mask")}
    oracle.load_state_dict(plain)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base.folder)
    inputs = tokenizer([text for (text,) in rows], padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = oracle(**inputs).logits.numpy()
    assert theirs.std() > 1e-2
    assert np.abs(ours - theirs).max() <= 1e-5


def as_tensors(state):
    import torch

    return {name: torch.tensor(array) for name, array in state.items()}


@pytest.mark.parametrize(
    ("given", "outputs", "expected"),
    [
        ({"name": "glue/cola"}, 2, ("classification", ("0", "1"), "matthews")),
        (
            {"name": "trec", "labels": ("a", "b", "c")},
            3,
            ("classification", ("a", "b", "c"), "acc"),
        ),
        ({"name": "glue/stsb"}, 1, ("regression", (), "pearson")),
        ({"name": "mine"}, 1, ("regression", (), "pearson")),
    ],
)
def test_task_follows_from_settings_and_outputs(given, outputs, expected):
    task = imported_task(Config(task=TaskConfig(**given)), outputs)
    assert (task.kind, task.labels) == expected[:2]
    assert task.metric.startswith(expected[2])


@pytest.mark.parametrize(
    ("given", "outputs"),
    [({"labels": ("a", "b")}, 3), ({"kind": "regression"}, 2), ({"name": "glue/stsb"}, 2)],
)
def test_task_that_does_not_fit_the_head_is_refused(given, outputs):
    config = dataclasses.replace(Config(), task=TaskConfig(**{"name": "mine", **given}))
    with pytest.raises(InputError, match=f"has {outputs} outputs"):
        imported_task(config, outputs)
