"""The boundary: paths, purity, the new head, and what is refused."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.extend.core import ClosedJaxpr, Jaxpr

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.models import build_model
from maskjax.models.encoder import position_ids
from maskjax.models.model import ENCODER_PARTS, _split


def draw_params(model, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.5, leaf.shape), leaf.dtype), model.abstract
    )


@pytest.fixture(scope="module")
def model(family, tiny_config):
    return build_model(tiny_config(family), 3)


@pytest.fixture(scope="module")
def apply(model):
    """The compiled model, shared by the tests of its outputs."""
    return jax.jit(model.apply)


@pytest.fixture(scope="module")
def shallow(family, tiny_config):
    """A model of one block, which compiles faster."""
    layers = "n_layers" if family == "distilbert" else "num_hidden_layers"
    return build_model(tiny_config(family, **{layers: 1}), 3)


@pytest.fixture(scope="module")
def grad(shallow):
    return jax.jit(jax.grad(lambda params, inputs: jnp.sum(shallow.apply(params, inputs) ** 2)))


def test_more_than_ten_blocks_stay_in_order(tiny_config, tiny_inputs):
    # Sorted as strings, block 10 comes before block 2.
    deep = build_model(tiny_config("bert", num_hidden_layers=12), 2)
    shallow = build_model(tiny_config("bert", num_hidden_layers=3), 2)
    params = draw_params(deep)
    lowest = {"layer": {i: params["encoder"]["layer"][i] for i in "012"}}
    states = deep.hidden_states(params, tiny_inputs)
    expected = shallow.hidden_states(params | {"encoder": lowest}, tiny_inputs)
    np.testing.assert_array_equal(states[3], expected[3])


def test_apply_is_pure(model, tiny_inputs):
    params = draw_params(model)
    traced = jax.make_jaxpr(model.apply)(params, tiny_inputs, key=jax.random.key(0))
    assert not traced.effects
    smallest = min(leaf.size for leaf in jax.tree.leaves(params["encoder"]))
    floating = [c for c in traced.consts if np.issubdtype(c.dtype, np.floating)]
    assert all(const.size < smallest for const in floating)  # no weights are baked in
    chex.clear_trace_counter()
    apply = jax.jit(chex.assert_max_traces(model.apply, n=1))
    first, again = apply(params, tiny_inputs), apply(params, tiny_inputs)
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first) != np.asarray(apply(draw_params(model, 1), tiny_inputs))).all()


def test_jit_changes_nothing(model, apply, tiny_inputs):
    params = draw_params(model)
    eager, jitted = model.apply(params, tiny_inputs), apply(params, tiny_inputs)
    assert eager.shape == (3, 3)
    assert eager.dtype == jnp.float32
    np.testing.assert_allclose(eager, jitted, atol=1e-5)


def test_dropout_follows_its_key(shallow, tiny_inputs):
    config = shallow.config.with_dropout(0.1)
    params, apply = draw_params(shallow), jax.jit(build_model(config, 3).apply)
    keys = (jax.random.key(seed, impl="rbg") for seed in (0, 0, 1))  # compiles fastest
    one, again, other = (apply(params, tiny_inputs, key=key) for key in keys)
    np.testing.assert_array_equal(one, again)
    assert (np.asarray(one) != np.asarray(other)).any()


def test_hidden_states_need_no_head(model, tiny_inputs):
    params = draw_params(model)
    headless = {name: params[name] for name in params if name in ENCODER_PARTS}
    states = model.hidden_states(headless, tiny_inputs)
    assert [state.shape for state in states] == [(3, 7, 8)] * 3


def test_every_leaf_has_a_gradient(shallow, grad, tiny_inputs):
    grads = flatten_with_paths(grad(draw_params(shallow), tiny_inputs))
    assert [path for path, leaf in grads.items() if not np.any(leaf)] == []


def test_a_row_of_padding_is_finite(model, apply, shallow, grad):
    none = np.zeros((3, 7), np.int32)
    padding = {"input_ids": none + 1, "attention_mask": none, "token_type_ids": none}
    assert np.isfinite(apply(draw_params(model), padding)).all()
    grads = jax.tree.leaves(grad(draw_params(shallow), padding))
    assert all(np.isfinite(leaf).all() for leaf in grads)


def test_more_padding_changes_nothing(model, apply, tiny_inputs):
    params = draw_params(model)
    longer = {name: np.pad(value, ((0, 0), (0, 5))) for name, value in tiny_inputs.items()}
    longer["input_ids"][:, 7:] = 1
    np.testing.assert_allclose(apply(params, tiny_inputs), apply(params, longer), atol=1e-5)


def test_ids_of_padding_do_not_matter(model, apply, tiny_inputs):
    params, mask = draw_params(model), tiny_inputs["attention_mask"]
    changed = np.where(mask == 1, tiny_inputs["input_ids"], 5).astype(np.int32)
    before = apply(params, tiny_inputs)
    np.testing.assert_array_equal(before, apply(params, tiny_inputs | {"input_ids": changed}))


def test_token_types_change_families_that_use_them(family, model, apply, tiny_inputs):
    params = draw_params(model)
    other = tiny_inputs | {"token_type_ids": 1 - tiny_inputs["token_type_ids"]}
    first, second = apply(params, tiny_inputs), apply(params, other)
    assert bool(jnp.all(first == second)) == (family not in ("bert", "electra", "albert"))


def test_roberta_has_one_type_for_all_tokens(tiny_config, tiny_inputs):
    model = build_model(tiny_config("roberta", type_vocab_size=2), 3)
    params = draw_params(model)
    other = tiny_inputs | {"token_type_ids": 1 - tiny_inputs["token_type_ids"]}
    first, second = (model.hidden_states(params, batch)[0] for batch in (tiny_inputs, other))
    np.testing.assert_array_equal(first, second)


def test_roberta_positions_skip_padding(tiny_config):
    config = tiny_config("roberta")  # pad_token_id 1
    ids = jnp.array([[5, 6, 1, 7, 1], [1, 1, 5, 5, 5]], jnp.int32)
    assert position_ids(ids, config).tolist() == [[2, 3, 1, 4, 1], [1, 1, 2, 3, 4]]


def test_activations_are_bfloat16_outside_of_float32_layers(tiny_config, tiny_inputs, family):
    config = tiny_config(family)
    full = build_model(config, 3)
    half = build_model(config, 3, compute_dtype=jnp.bfloat16)
    params = draw_params(full)
    assert half.abstract == full.abstract
    dots = dot_dtypes(jax.make_jaxpr(half.apply)(params, tiny_inputs, key=jax.random.key(0)).jaxpr)
    assert set(dots[:-1]) == {jnp.dtype("bfloat16")}
    assert dots[-1] == jnp.float32  # the logits
    logits = half.apply(params, tiny_inputs)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, full.apply(params, tiny_inputs), atol=0.2)
    assert half.hidden_states(params, tiny_inputs)[-1].dtype == jnp.bfloat16


def dot_dtypes(jaxpr) -> list[np.dtype]:
    """The dtypes that go into the matrix products, in order."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            found += [variable.aval.dtype for variable in equation.invars[:1]]
        for inner in inner_jaxprs(equation.params):
            found += dot_dtypes(inner)
    return found


def inner_jaxprs(params) -> list[Jaxpr]:
    """The programs in the parameters of an equation, such as those of jit and checkpoint."""
    programs = (Jaxpr, ClosedJaxpr)
    leaves = jax.tree.leaves(params, is_leaf=lambda value: isinstance(value, programs))
    return [getattr(leaf, "jaxpr", leaf) for leaf in leaves if isinstance(leaf, programs)]


def test_refuses_parameters_that_do_not_fit(tiny_config, tiny_inputs):
    model = build_model(tiny_config("bert"), 3)
    params = draw_params(model)
    headless = {name: part for name, part in params.items() if name != "classifier"}
    with pytest.raises(InputError, match=r"classifier/bias is missing; .*with_head"):
        model.apply(headless, tiny_inputs)
    with pytest.raises(InputError, match="lora/kernel is unknown"):
        model.apply(params | {"lora": {"kernel": jnp.zeros(1)}}, tiny_inputs)
    wrong = params | {"classifier": {"kernel": jnp.zeros((8, 4)), "bias": jnp.zeros(3)}}
    with pytest.raises(
        InputError, match=r"classifier/kernel has shape \(8, 4\), expected \(8, 3\)"
    ):
        model.apply(wrong, tiny_inputs)
    with pytest.raises(InputError, match="embeddings/LayerNorm/bias is missing"):
        model.hidden_states({"encoder": params["encoder"]}, tiny_inputs)


def test_refuses_sequences_beyond_the_positions(family, model):
    limit = model.config.max_positions
    assert limit == (16 if family in ("roberta", "mpnet") else 18)
    ids = np.full((1, limit + 1), 5, np.int32)
    inputs = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids * 0}
    with pytest.raises(InputError, match=f"{limit + 1} tokens is longer than the {limit}"):
        model.apply(draw_params(model), inputs)


def test_refuses_no_outputs(tiny_config):
    with pytest.raises(InputError, match="num_outputs is 0"):
        build_model(tiny_config("bert"), 0)


def test_module_with_state_is_refused():
    with pytest.raises(ValueError, match=r"[Nn]on-exhaustive"):
        _split(lambda: nnx.BatchNorm(3, rngs=nnx.Rngs(0)))
