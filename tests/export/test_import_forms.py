"""Other forms of the same state dict: wrappers, precisions, heads of other kinds, masks removed."""

import dataclasses

import jax
import numpy as np
import pytest

from maskjax.config import Config, TaskConfig
from maskjax.errors import InputError
from maskjax.export import import_state
from maskjax.export.huggingface import to_torch
from maskjax.export.imported_run import imported_task

NESTS = ("_orig_mod.", "module.", "model.", "model.module._orig_mod.", "_orig_mod.model.model.")


@pytest.mark.parametrize("nest", NESTS)
def test_prefixes_of_wrappers_are_removed(nest, state_of, check_same):
    """Prefixes stand before all names, or the encoder's only after torch.compile(model.bert)."""
    base, state = state_of("distilbert")
    within = {n.replace("distilbert.", f"distilbert.{nest}"): a for n, a in state.items()}
    assert within.keys() != state.keys()
    expected = import_state(state, base)
    for wrapped in ({f"{nest}{name}": array for name, array in state.items()}, within):
        check_same(import_state(wrapped, base), expected)


@pytest.fixture
def check_same(assert_same_leaves):
    def check(one, two):
        assert one._replace(delta=None) == two._replace(delta=None)
        assert_same_leaves(one, two)

    return check


def test_masks_and_head_alone_are_enough(state_of, check_same):
    base, state = state_of("distilbert")
    alone = {name: a for name, a in state.items() if "_mask" in name or "classifier" in name}
    assert len(alone) < len(state)
    check_same(import_state(alone, base), import_state(state, base))


def test_repeated_parameter_must_have_equal_values(state_of, check_same):
    """A LightningModule that also holds the compiled model saves every tensor under two names."""
    base, state = state_of("bert")
    twice = state | {f"_orig_mod.{name}": array for name, array in state.items()}
    check_same(import_state(twice, base), import_state(state, base))
    twice["_orig_mod.classifier.bias"] = np.ones(3, np.float32)
    with pytest.raises(InputError, match=r"classifier.bias are the same parameter and differ"):
        import_state(twice, base)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_rounded_weights_count_as_those_of_the_base(dtype, state_of):
    """Rounded weights count as the base's; scores are compared as PyTorch compares them."""
    torch = pytest.importorskip("torch", reason="needs PyTorch, which rounds the weights")
    base, state = state_of("bert")
    tensors = {n: torch.tensor(a).to(getattr(torch, dtype)) for n, a in state.items()}
    tensors["classifier.weight_mask"][0, :3] = torch.tensor([0.01, 0.0101, 0.0099])
    rounded = {n: _in_jax_dtype(t, dtype) for n, t in tensors.items()}
    imported = import_state(rounded, base)
    assert imported.changed == ()
    for name, mask in to_torch(imported.delta.masks, "bert").items():
        np.testing.assert_array_equal(mask, (tensors[f"{name}_mask"] > 0.01).numpy())
    head = imported.delta.weights["classifier/kernel"]
    np.testing.assert_array_equal(head, tensors["classifier.weight"].float().numpy().T)

    name = "bert.encoder.layer.0.output.dense.weight"
    rounded[name] = (rounded[name].astype(np.float32) * 1.02).astype(rounded[name].dtype)
    assert import_state(rounded, base).changed == ("encoder/layer/0/output/dense/kernel",)


def _in_jax_dtype(tensor, dtype):
    return (
        np.asarray(jax.numpy.asarray(tensor.float().numpy(), dtype))
        if "16" in dtype
        else (tensor.numpy())
    )


def test_a_head_of_words_is_recognized(family, state_of):
    """A whole tagger has no pooler and no layer before the last."""
    base, state = state_of(family)
    masked = [name for name in state if name.endswith("_mask") and "layer.1" in name]
    parts = ("classifier", "pooler")
    tagger = {n: a for n, a in state.items() if not any(part in n for part in parts)}
    tagger |= {name: state[name] for name in masked}
    tagger["classifier.weight"] = np.ones((5, 16), np.float32)
    tagger["classifier.bias"] = np.zeros(5, np.float32)
    imported = import_state(tagger, base)
    assert (imported.kind, imported.alternative, imported.num_outputs) == ("tokens", None, 5)
    with pytest.raises(InputError, match=r"no head for classification but .+ --task.kind tokens"):
        import_state(tagger, base, kind="classification")


def test_hidden_layer_is_not_ignored_for_a_token_head(state_of):
    base, state = state_of("distilbert")
    with pytest.raises(InputError, match=r"no head for tokens but .+ --task.kind classification"):
        import_state(state, base, kind="tokens")


def test_type_and_alternative_follow_from_the_tensors_of_a_head(state_of, masked_modules):
    kinds = {}
    for family in masked_modules:
        for outputs in (1, 3):
            imported = import_state(state_of(family, outputs)[1], state_of(family)[0])
            kinds[family, outputs] = (imported.kind, imported.alternative)
    sure = ("classification", None)
    assert kinds == {
        ("bert", 1): ("regression", "choice"),
        ("bert", 3): ("classification", "tokens"),
        ("roberta", 1): sure,
        ("roberta", 3): sure,
        ("distilbert", 1): ("regression", "choice"),
        ("distilbert", 3): sure,
    }


def test_tag_labels_need_an_explicit_kind(state_of):
    base, state = state_of("bert")
    imported = import_state(state, base)
    given = TaskConfig(name="mine", labels=("O", "B-X", "I-X"))
    with pytest.raises(InputError, match=r"--task.kind tokens or --task.kind classification"):
        imported_task(Config(task=given), 3, imported.kind, imported.alternative)
    given = dataclasses.replace(given, kind="classification")
    assert imported_task(Config(task=given), 3, imported.kind).kind == "classification"


def test_labels_of_one_output_need_an_explicit_kind(state_of):
    base, state = state_of("bert", 1)
    imported = import_state(state, base)
    given = TaskConfig(name="mine", labels=("left", "right"))
    with pytest.raises(InputError, match=r"give --task.kind choice, or leave the labels out"):
        imported_task(Config(task=given), 1, imported.kind, imported.alternative)
    assert imported_task(Config(task=TaskConfig(name="mine")), 1, imported.kind).labels == ()


def test_masks_that_were_removed_are_named(state_of):
    """torch.nn.utils.prune.remove multiplies the mask into the weight, which stays frozen."""
    base, state = state_of("bert")
    removed = {n: a for n, a in state.items() if not n.endswith("_mask")}
    with pytest.raises(InputError, match=r"if they were removed, save it before .+prune.remove"):
        import_state(removed, base)
    zeros = 0
    for name in (n for n in state if n.endswith("weight_mask") and "encoder" in n):
        weight = name.removesuffix("_mask")
        removed[weight] = np.where(state[name] > 0.01, state[weight], 0)
        zeros += (removed[weight] == 0).sum()
    assert zeros
    with pytest.raises(InputError, match=rf"{zeros:,} weights .+ zeros .+prune\.remove"):
        import_state(removed, base)


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_threshold_that_is_not_finite_is_refused(threshold, state_of):
    base, state = state_of("bert")
    with pytest.raises(InputError, match="threshold: expected a finite number"):
        import_state(state, base, threshold=threshold)
