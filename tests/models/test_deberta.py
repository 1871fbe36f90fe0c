"""DeBERTa's variants against transformers, and its products against formulas over all pairs."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.models import build_model, load_base, reinitialize, swap_layout, torch_name
from maskjax.models import disentangled as disentangled_module
from maskjax.models.disentangled import distance_scores, reach_of
from maskjax.models.distances import Disentangled
from tests.models.test_parity import assert_close, make_oracle, to_params

torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
FAMILY = "deberta-v2"
VARIANTS = {
    "published": {"share_att_key": True},
    "own projections": {"share_att_key": False},
    "queries alone": {"pos_att_type": ["c2p"], "share_att_key": False},
    "keys alone": {"pos_att_type": "P2C", "share_att_key": True},
    "no buckets": {"position_buckets": -1, "max_relative_positions": 9},
    "odd buckets": {"position_buckets": 5, "max_relative_positions": 30},
    "no norm": {"norm_rel_ebd": "none"},
    "positions and types": {"position_biased_input": True, "type_vocab_size": 2},
    "narrow embeddings": {"embedding_size": 7},
    "convolution": {"conv_kernel_size": 3, "conv_act": "gelu"},
    "wide convolution in groups": {"conv_kernel_size": 5, "conv_groups": 2, "hidden_act": "relu"},
    "absolute positions": {
        "relative_attention": False,
        "pos_att_type": None,
        "norm_rel_ebd": "none",
        "position_biased_input": True,
    },
    "another pooler": {"pooler_hidden_act": "tanh", "hidden_act": "gelu_new"},
}
SHAPE = {"hidden_size": 12, "num_attention_heads": 3, "max_position_embeddings": 40}
BUCKETS, LONGEST = (2, 3, 8, 15, 16, 256), (9, 17, 64, 512, 513)
SHARED = {
    "content_to_position": True,
    "position_to_content": True,
    "shares_projections": True,
    "has_norm": True,
}


def make_rows(config, seq: int, seed: int) -> dict[str, np.ndarray]:
    """A full row, one with padding at its end and one with padding at its start, with types."""
    rng = np.random.default_rng(seed)
    mask = np.arange(seq)[None, :] < np.array([[seq], [max(1, seq // 3)], [max(1, seq // 2)]])
    mask[-1] = mask[-1, ::-1]
    inputs = {"input_ids": rng.integers(5, config.vocab_size, (3, seq)), "attention_mask": mask}
    inputs["token_type_ids"] = rng.integers(0, max(1, config.type_vocab_size), (3, seq))
    return {name: value.astype(np.int32) for name, value in inputs.items()}


def compare(oracle, seq: int, folder, seed: int = 0) -> None:
    """Compares all hidden states, those of padding too, and logits."""
    oracle.save_pretrained(folder)
    config = load_base(folder).config
    model, inputs = build_model(config, 3), make_rows(config, seq, seed)
    with torch.no_grad():
        tensors = {name: torch.tensor(value).long() for name, value in inputs.items()}
        expected = oracle(**tensors, output_hidden_states=True)
    run = jax.jit(lambda p: (model.hidden_states(p, inputs), model.apply(p, inputs)))
    states, logits = run(to_params(model, oracle, FAMILY))
    for ours, theirs in zip(states, expected.hidden_states, strict=True):
        assert_close(ours, theirs)
    assert_close(logits, expected.logits)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_match_transformers_up_to_the_longest_input(variant, tmp_path):
    oracle = make_oracle(FAMILY, 2, **(SHAPE | VARIANTS[variant]))
    compare(oracle, 40, tmp_path)


@pytest.mark.parametrize("seq", [1, 128, 129, 300])
def test_lengths_match_transformers(seq, tmp_path):
    changes = {"max_position_embeddings": 300, "num_hidden_layers": 1, "position_buckets": 32}
    compare(make_oracle(FAMILY, 2, **(SHAPE | changes)), seq, tmp_path, seed=seq)


def test_gradients_of_all_parts_match_pytorch(tmp_path):
    changes = VARIANTS["own projections"] | VARIANTS["convolution"] | VARIANTS["narrow embeddings"]
    oracle = make_oracle(FAMILY, 2, **(SHAPE | changes | VARIANTS["positions and types"]))
    oracle.save_pretrained(tmp_path)
    model = build_model(load_base(tmp_path).config, 3, remat_blocks=True)
    # Not the row that begins with padding, which PyTorch lets attend to all without a gradient.
    inputs = {name: rows[:2] for name, rows in make_rows(model.config, 21, 1).items()}
    labels = np.array([0, 2])
    tensors = {name: torch.tensor(value).long() for name, value in inputs.items()}
    torch.nn.functional.cross_entropy(oracle(**tensors).logits, torch.tensor(labels)).backward()

    def loss(params):
        logits = model.apply(params, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(labels)).mean()

    grads = flatten_with_paths(jax.jit(jax.grad(loss))(to_params(model, oracle, FAMILY)))
    theirs = {n.removeprefix("deberta."): p.grad for n, p in oracle.named_parameters()}
    assert {torch_name(path, FAMILY) for path in grads} == theirs.keys()
    for path, ours in grads.items():
        assert_close(swap_layout(path, ours), theirs[torch_name(path, FAMILY)])


@pytest.mark.parametrize(
    ("buckets", "longest"),
    [(buckets, longest) for buckets, longest in product(BUCKETS, LONGEST) if buckets < longest],
)
def test_distances_are_numbered_as_transformers_numbers_them(buckets, longest):
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    distance = np.arange(-600, 601)
    ours = Disentangled(**SHARED, longest=longest, buckets=buckets).number(distance)
    theirs = make_log_bucket_position(torch.tensor(distance), buckets, longest).long()
    np.testing.assert_array_equal(ours, torch.clamp(theirs + buckets, 0, 2 * buckets - 1))


@pytest.mark.parametrize("seq", [1, 3, 4, 5, 8, 11, 13])
@pytest.mark.parametrize("buckets", [0, 4])
def test_scores_are_products_with_the_embedding_of_each_distance(seq, buckets, monkeypatch):
    monkeypatch.setattr(disentangled_module, "BLOCK", 4)
    rng, distances = np.random.default_rng(seq), Disentangled(**SHARED, longest=6, buckets=buckets)
    x, table = rng.normal(size=(2, 3, seq, 5)), rng.normal(size=(2 * distances.span, 10))
    reach = reach_of(seq)
    numbers = distances.number(np.arange(reach - 1, -seq - 1, -1))
    arguments = (jnp.asarray(value, jnp.float32) for value in (x, table))
    scores = distance_scores(*arguments, numbers)
    assert scores.shape == (2, 3, seq, seq)
    for head, row, query, key in np.ndindex(scores.shape):
        vector = table[distances.number(np.array([query - key]))[0], 5 * head : 5 * head + 5]
        expected = x[head, row, query] @ vector
        np.testing.assert_allclose(scores[head, row, query, key], expected, atol=1e-6)


def test_no_scores_are_gathered_or_scattered():
    seq, table = 512, jnp.ones((512, 32))
    numbers = Disentangled(**SHARED, longest=512, buckets=256).number(np.arange(511, -513, -1))

    def total(x, table):
        return jnp.sum(distance_scores(x, table, numbers) ** 2)

    traced = jax.make_jaxpr(jax.grad(total, argnums=(0, 1)))(jnp.ones((2, 1, seq, 16)), table)
    sizes = {"gather": [], "scatter-add": [], "dot_general": []}
    for step in traced.eqns:
        if step.primitive.name in sizes:
            sizes[step.primitive.name].append(step.outvars[0].aval.size)
    assert max(sizes["gather"] + sizes["scatter-add"]) == 2 * seq * 32  # rows of the table
    assert max(sizes["dot_general"]) == 2 * seq * (seq + 128)  # in place of 2 * seq * (2 * seq - 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share_att_key": False}, "attention.self.pos_key_proj.bias is missing"),
        ({"norm_rel_ebd": "none"}, r"encoder.LayerNorm.bias is unexpected"),
        ({"position_buckets": 6}, r"rel_embeddings.weight has shape \[8, 8\], expected \[12, 8\]"),
        ({"conv_kernel_size": 3}, "encoder.conv.LayerNorm.bias is missing"),
        ({"embedding_size": 4}, "embeddings.embed_proj.weight is missing"),
        ({"position_biased_input": True}, "embeddings.position_embeddings.weight is missing"),
        ({"type_vocab_size": 2}, "embeddings.token_type_embeddings.weight is missing"),
    ],
)
def test_a_configuration_that_contradicts_its_tensors_is_refused(
    changes, message, checkpoint, tmp_path
):
    source = checkpoint(FAMILY)
    source.config |= changes
    with pytest.raises(InputError, match=f"is no deberta-v2 checkpoint: .*{message}"):
        load_base(source.write(tmp_path))


def test_the_convolution_is_a_part_that_can_be_drawn(base_of):
    base = load_base(base_of(FAMILY))
    kernel = "encoder/conv/conv/kernel"
    before, after = (
        flatten_with_paths(b.params) for b in (base, reinitialize(base, ["convolution"]))
    )
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {kernel, "encoder/conv/conv/bias"}
    assert after[kernel].shape == (3, 16, 16)
    assert float(after[kernel].std()) == pytest.approx(0.02, rel=0.1)
