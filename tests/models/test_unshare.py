"""One block under a path for each application, against PyTorch with a block for each."""

import copy
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.adaptation import make_adaptation
from maskjax.adaptation.mask_rules import masked_blocks
from maskjax.analysis.footprint import live_bytes
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.models import (
    build_model,
    cast_matrices,
    load_base,
    reinitialize,
    state_dict_key,
    swap_layout,
    unshare,
    with_head,
)
from maskjax.models.matrix_types import block_of
from maskjax.taskfile.digest import digest_leaves

LAYERS = 4
SHAPE = {
    "vocab_size": 40,
    "embedding_size": 6,
    "hidden_size": 12,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 24,
    "attn_implementation": "eager",
}
ALL = {"initializer": "uniform", "sparsity": 0.4, "blocks": (0, LAYERS - 1)}


@pytest.fixture(scope="module")
def oracle():
    """A random ALBERT of PyTorch with a head for three classes."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = transformers.AlbertConfig(**SHAPE, num_labels=3)
    model = transformers.AlbertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_scale = "norm" in name.lower() and name.endswith("weight")
            parameter.normal_(float(is_scale), 0.3)
    return model


@pytest.fixture(scope="module")
def base(oracle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("albert")
    oracle.save_pretrained(folder)
    return load_base(folder)


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    mask = (np.arange(9)[None, :] < np.array([[9], [5], [7]])).astype(np.int32)
    ids = np.where(mask == 1, random.integers(2, 40, (3, 9)), 0).astype(np.int32)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0}


def params_of(base, oracle):
    """The model of a base, with the head of the oracle."""
    model = build_model(base.config, 3)
    head = {
        f"classifier/{leaf}": swap_layout(f"classifier/{leaf}", array.detach().numpy())
        for leaf, array in (
            ("kernel", oracle.classifier.weight),
            ("bias", oracle.classifier.bias),
        )
    }
    return model, update_leaves(with_head(base.params, model, jax.random.key(0)), head)


def with_a_block_for_each(oracle, leaves):
    """PyTorch's model with the leaves of each block in a group of its own."""
    import torch

    config = copy.deepcopy(oracle.config)
    config.num_hidden_groups = LAYERS
    model = type(oracle)(config).eval()
    arrays = {path: swap_layout(path, np.asarray(leaf)) for path, leaf in leaves.items()}
    state = {
        state_dict_key(path, "albert"): torch.tensor(array.copy()) for path, array in arrays.items()
    }
    model.load_state_dict(state)
    return model


def run_torch(model, inputs):
    import torch

    tensors = {name: torch.tensor(array.astype(np.int64)) for name, array in inputs.items()}
    return model(**tensors, output_hidden_states=True)


def test_masks_of_each_application_match_a_block_for_each_in_pytorch(base, oracle, inputs):
    model, params = params_of(unshare(base), oracle)
    adaptation = make_adaptation(AdaptationConfig(**ALL), model)
    trainable = adaptation.init(jax.random.key(1), params)
    masks = adaptation.finalize(trainable, params).masks
    assert {block_of(path) for path in masks} == {None, *range(LAYERS)}
    query = [masks[f"encoder/layer/{n}/attention/self/query/kernel"] for n in range(LAYERS)]
    assert all((query[0] != other).any() for other in query[1:])

    leaves = {path: np.asarray(leaf) for path, leaf in flatten_with_paths(params).items()}
    leaves |= {path: leaves[path] * np.asarray(mask) for path, mask in masks.items()}
    expected = run_torch(with_a_block_for_each(oracle, leaves), inputs)
    adapted = jax.jit(adaptation.apply)(trainable, params)
    ours = model.hidden_states(adapted, inputs)
    for state, theirs in zip(ours, expected.hidden_states, strict=True):
        assert np.abs(np.asarray(state) - theirs.detach().numpy()).max() <= 1e-5
    logits = np.asarray(model.apply(adapted, inputs))
    assert np.abs(logits - expected.logits.detach().numpy()).max() <= 1e-5


def test_scores_of_each_application_get_its_own_gradient(base, oracle, inputs):
    import torch

    model, params = params_of(unshare(base), oracle)
    adaptation = make_adaptation(AdaptationConfig(**ALL), model)
    trainable = adaptation.init(jax.random.key(1), params)
    labels = np.array([0, 2, 1])

    def loss(scores):
        adapted = adaptation.apply({**trainable, "scores": scores}, params)
        logits = model.apply(adapted, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(labels)).mean()

    ours = jax.jit(jax.grad(loss))(trainable["scores"])
    leaves = flatten_with_paths(jax.jit(adaptation.apply)(trainable, params))
    theirs = with_a_block_for_each(oracle, {p: np.asarray(leaf) for p, leaf in leaves.items()})
    logits = run_torch(theirs, inputs).logits
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels)).backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    frozen = flatten_with_paths(params)
    for path, gradient in ours.items():
        of_weight = gradients[state_dict_key(path, "albert")].numpy()
        expected = swap_layout(path, of_weight) * np.asarray(frozen[path])
        assert np.abs(np.asarray(gradient) - expected).max() <= 1e-5


def test_equal_masks_of_all_applications_are_one_mask_of_the_block(base, oracle, inputs):
    shared, params = params_of(base, oracle)
    adaptation = make_adaptation(AdaptationConfig(**ALL | {"blocks": (0, 0)}), shared)
    delta = adaptation.finalize(adaptation.init(jax.random.key(1), params), params)
    expected = shared.apply(delta.apply(params), inputs)
    assert not np.allclose(expected, shared.apply(params, inputs))

    unshared, copies = params_of(unshare(base), oracle)
    leaves = flatten_with_paths(copies)
    spread = {
        path: np.asarray(leaves[path]) * np.asarray(mask)
        for of_block, mask in delta.masks.items()
        for n in range(LAYERS)
        for path in (of_block.replace("layer/0", f"layer/{n}"),)
    }
    ours = unshared.apply(update_leaves(copies, spread), inputs)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_memory_holds_the_block_once(base):
    before = live_bytes()
    base = unshare(base)
    leaves = flatten_with_paths(base.params)
    for path, leaf in leaves.items():
        if block_of(path):
            number = f"layer/{block_of(path)}/"
            assert leaf is leaves[path.replace(number, "layer/0/")]
    assert live_bytes() == before
    model = build_model(base.config, 2)
    params = with_head(base.params, model, jax.random.key(0))
    rounded = flatten_with_paths(cast_matrices(params, model, "bfloat16"))
    kernels = {id(rounded[f"encoder/layer/{n}/output/dense/kernel"]) for n in range(LAYERS)}
    assert len(kernels) == 1


def test_digests_of_all_applications_are_one(base):
    digests = digest_leaves(flatten_with_paths(unshare(base).params))
    path = "encoder/layer/{}/output/dense/kernel"
    assert len({digests[path.format(n)] for n in range(LAYERS)}) == 1
    assert digests[path.format(3)] == digest_leaves(flatten_with_paths(base.params))[path.format(0)]


def test_a_reinitialized_block_is_one_too(base):
    leaves = flatten_with_paths(unshare(reinitialize(base, ["output"], 3)).params)
    drawn = flatten_with_paths(reinitialize(base, ["output"], 3).params)
    for n in range(LAYERS):
        path = f"encoder/layer/{n}/output/dense/kernel"
        assert leaves[path] is leaves["encoder/layer/0/output/dense/kernel"]
        np.testing.assert_array_equal(leaves[path], drawn["encoder/layer/0/output/dense/kernel"])


def test_the_block_is_masked_and_the_lowest_sixth_of_applications_is_not(base):
    config = AdaptationConfig()
    assert list(masked_blocks(config, base.config)) == [0]
    twelve = dataclasses.replace(base.config, num_layers=12)
    assert list(masked_blocks(config, twelve)) == [0]
    twelve = dataclasses.replace(twelve, sharing="unshared")
    assert list(masked_blocks(config, twelve)) == list(range(2, 12))
    with pytest.raises(InputError, match=r"adaptation.blocks: .* within 0..0, got 2 11"):
        masked_blocks(AdaptationConfig(blocks=(2, 11)), base.config)


@pytest.mark.parametrize("method", ["lora", "bitfit", "finetune"])
def test_other_methods_learn_for_each_application_too(base, oracle, inputs, method):
    model, params = params_of(unshare(base), oracle)
    adaptation = make_adaptation(AdaptationConfig(method=method), model)
    trainable = adaptation.init(jax.random.key(1), params)
    before = model.apply(params, inputs)
    np.testing.assert_allclose(model.apply(adaptation.apply(trainable, params), inputs), before)
    learned = {block_of(path) for path in adaptation.finalize(trainable, params).operations}
    assert learned == {None, *range(LAYERS)}


def test_a_checkpoint_with_a_group_for_each_block_has_separate_blocks(oracle, base, tmp_path):
    leaves = flatten_with_paths(params_of(unshare(base), oracle)[1])
    leaves = {
        path: np.asarray(leaf) + (block_of(path) or 0) * (leaf.ndim == 1)
        for path, leaf in leaves.items()
    }
    with_a_block_for_each(oracle, leaves).save_pretrained(tmp_path)
    loaded = load_base(tmp_path)
    assert (loaded.config.sharing, loaded.config.num_blocks) == ("none", LAYERS)
    for path, leaf in flatten_with_paths(loaded.params).items():
        np.testing.assert_array_equal(leaf, leaves[path])
    with pytest.raises(InputError, match="has no shared block"):
        unshare(loaded)


def test_a_family_without_shared_block_is_refused(checkpoint, tmp_path):
    base = load_base(checkpoint("bert").write(tmp_path))
    with pytest.raises(InputError, match=r"^model.unshare: .* no shared block, for bert has a blo"):
        unshare(base)
