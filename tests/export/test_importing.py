"""State dicts of the reference code and of torch.nn.utils.prune, written out by hand in NumPy."""

import dataclasses
import sys

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from maskjax.config import Config, ModelConfig, TaskConfig
from maskjax.errors import InputError
from maskjax.export import import_state, read_state_dict, save_imported
from maskjax.export.huggingface import in_torch
from maskjax.export.imported_run import imported_task
from maskjax.inference import load_predictor
from maskjax.masking import leaves_by_path
from maskjax.models import build_model, init_head, load_base
from maskjax.tasks import Split, encode

# Every kind that the reference code masks in block 1, the poolers and the heads: its names.
BLOCK = "encoder.layer.1"
MASKED = {
    "bert": [
        *(f"bert.{BLOCK}.attention.self.{part}" for part in ("key", "query", "value")),
        f"bert.{BLOCK}.attention.output.dense",
        f"bert.{BLOCK}.intermediate.dense",
        f"bert.{BLOCK}.output.dense",
        "bert.pooler.dense",
        "classifier",
    ],
    "roberta": [f"roberta.{BLOCK}.output.dense", "classifier.dense", "classifier.out_proj"],
    "distilbert": [
        *(f"distilbert.transformer.layer.1.attention.{part}_lin" for part in "kqv"),
        "distilbert.transformer.layer.1.attention.out_lin",
        "distilbert.transformer.layer.1.ffn.lin1",
        "distilbert.transformer.layer.1.ffn.lin2",
        "pre_classifier",
        "classifier",
    ],
}


@pytest.fixture
def state_of(base_of):
    """Makes the state dict of a whole model of the reference code: `(base, state)`."""

    def make(family, outputs=3, masked=None):
        base, random = load_base(base_of(family)), np.random.default_rng(5)
        drawn = init_head(build_model(base.config, outputs), jax.random.key(3))
        head = jax.tree.map(lambda leaf: 30 * leaf, drawn)
        state = in_torch(leaves_by_path(base.params | head), family)
        for module in masked or MASKED[family]:
            shape = state[f"{module}.weight"].shape
            state[f"{module}.weight_mask"] = random.uniform(-0.02, 0.1, shape).astype(np.float32)
        return base, state

    return make


def as_pruned(state):
    """The same masks as torch.nn.utils.prune writes them."""
    pruned = {}
    for name, array in state.items():
        if name.endswith("_mask"):
            pruned[name] = (array > np.float32(1e-2)).astype(np.float32)
        else:
            pruned[f"{name}_orig" if f"{name}_mask" in state else name] = array
    return pruned


def test_scores_become_masks(family, state_of):
    base, state = state_of(family)
    imported = import_state(state, base)
    masks = in_torch(imported.frozen["mask"], family)
    assert {name.removesuffix(".weight") for name in masks} == set(MASKED[family])
    for name, mask in masks.items():
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, state[f"{name}_mask"] > np.float32(0.01))
    head = in_torch(imported.frozen["weight"], family)
    assert all(name.split(".")[0] in ("classifier", "pre_classifier") for name in head)
    assert head
    for name, weight in head.items():
        np.testing.assert_array_equal(weight, state[name])
    assert imported.num_outputs == 3
    assert imported.changed == imported.unused == ()


def test_prune_gives_the_same(family, state_of):
    base, state = state_of(family)
    one, two = import_state(state, base), import_state(as_pruned(state), base, threshold=7)
    for sort in ("mask", "weight"):
        assert one.frozen[sort].keys() == two.frozen[sort].keys()
        for path, array in one.frozen[sort].items():
            np.testing.assert_array_equal(array, two.frozen[sort][path])


def test_a_score_at_the_threshold_is_dropped(state_of):
    base, state = state_of("bert")
    scores = state["classifier.weight_mask"]
    scores[:] = np.float32(0.01)  # as torch.tensor(0.01) has it
    scores[0, 0] = np.nextafter(np.float32(0.01), np.float32(1))
    mask = import_state(state, base).frozen["mask"]["classifier/kernel"]
    assert mask.sum() == mask[0, 0] == 1
    scores[:], scores[1, 2] = -0.5, 0.001
    mask = import_state(state, base, threshold=0).frozen["mask"]["classifier/kernel"]
    assert mask.sum() == mask[2, 1] == 1


def test_structured_scores_and_biases_are_written_out(state_of):
    base, state = state_of("bert")
    query, dense = f"bert.{BLOCK}.attention.self.query", f"bert.{BLOCK}.output.dense"
    state[f"{query}.weight_mask"] = np.array([1, -1, 1, -1], np.float32)  # 4 heads of 4
    state[f"{query}.structured_mask_expanding"] = np.ones((4, 4), np.float32)
    state[f"{query}.bias_mask"] = np.array([1, -1, 1, -1], np.float32)
    state[f"{dense}.weight_mask"] = np.array([-1], np.float32)
    masks = import_state(state, base).frozen["mask"]
    heads = np.repeat([True, False, True, False], 4)
    path = "encoder/layer/1/attention/self/query"
    np.testing.assert_array_equal(masks[f"{path}/kernel"], np.tile(heads, (16, 1)))
    np.testing.assert_array_equal(masks[f"{path}/bias"], heads)
    assert masks["encoder/layer/1/output/dense/kernel"].shape == (24, 16)
    assert not masks["encoder/layer/1/output/dense/kernel"].any()


def test_what_roberta_has_no_use_for_is_named(state_of):
    base, state = state_of("roberta")
    state["roberta.pooler.dense.weight"] = np.zeros((16, 16), np.float32)
    state["roberta.pooler.dense.weight_mask"] = np.zeros((16, 16), np.float32)
    assert import_state(state, base).unused == ("roberta.pooler.dense.weight_mask",)


def test_names_of_data_parallel_and_masks_alone(state_of):
    base, state = state_of("distilbert")
    alone = {f"module.{n}": a for n, a in state.items() if "_mask" in n or "classifier" in n}
    assert len(alone) < len(state)
    one, two = import_state(state, base), import_state(alone, base)
    for path, mask in one.frozen["mask"].items():
        np.testing.assert_array_equal(mask, two.frozen["mask"][path])


def test_weights_unlike_the_base_are_noticed(state_of):
    base, state = state_of("bert")
    state["bert.embeddings.LayerNorm.weight"] = state["bert.embeddings.LayerNorm.weight"] + 1
    imported = import_state(state, base)
    assert imported.changed == ("embeddings/LayerNorm/scale",)
    np.testing.assert_array_equal(
        imported.frozen["weight"]["embeddings/LayerNorm/scale"],
        state["bert.embeddings.LayerNorm.weight"],
    )


def cut(state, name):
    state[name] = state[name][1:]


DAMAGES = {
    "no masks": (lambda s: [s.pop(n) for n in list(s) if "_mask" in n], "no masks"),
    "no head": (lambda s: [s.pop(n) for n in list(s) if n.startswith("cl")], "no head"),
    "half a head": (lambda s: s.pop("classifier.bias"), "classifier.bias of the head is missing"),
    "unknown": (lambda s: s.update(extra=np.zeros(1)), "extra unexpected"),
    "shape": (lambda s: cut(s, "bert.embeddings.word_embeddings.weight"), r"\(24, 16\), exp"),
    "mask": (lambda s: cut(s, "bert.pooler.dense.weight_mask"), r"\(15, 16\), expected \(16, 16"),
    "nan": (lambda s: s["classifier.weight_mask"].fill(np.nan), "not finite"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damages(damage, state_of):
    change, named = DAMAGES[damage]
    base, state = state_of("bert")
    change(state)
    with pytest.raises(InputError, match=named) as error:
        import_state(state, base)
    assert "\n" not in str(error.value)


def test_prune_with_a_mask_of_other_numbers(state_of):
    base, state = state_of("bert")
    pruned = as_pruned(state)
    pruned["classifier.weight_mask"] *= 0.5
    with pytest.raises(InputError, match="besides 0 and 1"):
        import_state(pruned, base)


def test_the_reference_code_computes_what_the_run_computes(state_of, sentences, tmp_path):
    """The forward pass of MaskedLinear1 against the imported run, on the same texts."""
    torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
    import transformers

    base, state = state_of("bert")
    torch.save({"epoch": 3, "state": as_tensors(state)}, tmp_path / "best.pt")
    imported = import_state(read_state_dict(tmp_path / "best.pt"), base)
    config = Config(model=ModelConfig(base=str(base.folder)), task=TaskConfig(name="old"))
    save_imported(imported, base, config, tmp_path / "run")
    predictor = load_predictor(tmp_path / "run")
    assert predictor.task.labels == ("0", "1", "2")
    rows = sentences(1)
    split = Split(rows, np.zeros(len(rows), np.int32))
    ours = predictor.logits(encode(split, predictor.tokenizer, 34))

    oracle = transformers.BertForSequenceClassification(
        transformers.AutoConfig.from_pretrained(base.folder, num_labels=3)
    ).eval()
    for module in MASKED["bert"]:
        mask = (state[f"{module}.weight_mask"] > np.float32(0.01)).astype(np.float32)
        state[f"{module}.weight"] = state[f"{module}.weight"] * mask
    plain = {n: a for n, a in as_tensors(state).items() if not n.endswith("_mask")}
    oracle.load_state_dict(plain)
    inputs = predictor.tokenizer([text for (text,) in rows], padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = oracle(**inputs).logits.numpy()
    assert theirs.std() > 1e-2
    assert np.abs(ours - theirs).max() <= 1e-5


def as_tensors(state):
    import torch

    return {name: torch.tensor(array) for name, array in state.items()}


def test_files(state_of, tmp_path, monkeypatch):
    _, state = state_of("bert")
    save_file(state, tmp_path / "state.safetensors")
    read = read_state_dict(tmp_path / "state.safetensors")
    assert all(np.array_equal(read[name], state[name]) for name in state)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    (tmp_path / "best.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        read_state_dict(tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match="no such file"):
        read_state_dict(tmp_path / "absent.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r'pip install "maskjax\[torch\]"'):
        read_state_dict(tmp_path / "best.pt")


class Evil:
    def __reduce__(self):
        return print, ("this ran",)


def test_pickles_run_no_code(tmp_path, capsys):
    torch = pytest.importorskip("torch", reason="needs PyTorch, which reads these files")
    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    two = {"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}
    torch.save(two, tmp_path / "two.pt")
    torch.save({"w": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "half.pt")
    (tmp_path / "junk.pt").write_bytes(b"nothing")
    for name, message in {
        "evil": "weights_only",
        "junk": "weights_only",
        "list": "a list without one",
        "two": "2 of them",
    }.items():
        with pytest.raises(InputError, match=message) as error:
            read_state_dict(tmp_path / f"{name}.pt")
        assert "\n" not in str(error.value)
    assert "this ran" not in capsys.readouterr().out
    assert read_state_dict(tmp_path / "half.pt")["w"].dtype == np.float32


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
def test_the_task_of_a_head(given, outputs, expected):
    task = imported_task(Config(task=TaskConfig(**given)), outputs)
    assert (task.kind, task.labels) == expected[:2]
    assert task.metric.startswith(expected[2])


@pytest.mark.parametrize(
    ("given", "outputs"),
    [({"labels": ("a", "b")}, 3), ({"kind": "regression"}, 2), ({"name": "glue/stsb"}, 2)],
)
def test_a_task_that_does_not_fit_the_head(given, outputs):
    config = dataclasses.replace(Config(), task=TaskConfig(**{"name": "mine", **given}))
    with pytest.raises(InputError, match=f"has {outputs} outputs"):
        imported_task(config, outputs)
