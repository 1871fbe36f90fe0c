"""Which leaves can be masked, and the errors of those that cannot."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.adaptation import lora, train_weights
from maskjax.masking import (
    Rule,
    bernoulli_mask,
    constant,
    flatten_with_paths,
    mean_sparsity,
    sign_mask,
    threshold_mask,
    top_k_mask,
    update_leaves,
)
from maskjax.masking.selection import choose, select_paths

KEY = jax.random.key(0)
FACTORIES = {
    "threshold": threshold_mask,
    "sign": sign_mask,
    "bernoulli": bernoulli_mask,
    "top_k": top_k_mask,
}
INITS = {
    **{name: lambda where, make=make: make(where=where).init for name, make in FACTORIES.items()},
    "lora": lambda where: lora(where).init,
    "weights": lambda where: train_weights(where).init,
}
NOT_FLOATING = {
    "int8": jnp.ones((4, 3), jnp.int8),
    "uint8": np.ones((4, 3), np.uint8),
    "int4": jnp.ones((4, 3), jnp.int4),
    "bool": jnp.ones((4, 3), bool),
    "complex64": jnp.ones((4, 3), jnp.complex64),
    "key<fry>": jax.random.split(KEY, 3),
    "float": 1.0,
    "str": "relu",
}


def quantize(weight: np.ndarray) -> tuple[jax.Array, jax.Array]:
    scale = np.abs(weight).max() / 127
    return jnp.asarray(np.round(weight / scale), jnp.int8), jnp.float32(scale)


@pytest.mark.parametrize("make", INITS.values(), ids=INITS)
@pytest.mark.parametrize("dtype", NOT_FLOATING)
def test_leaf_that_is_not_floating_is_refused(make, dtype):
    params = {"dense": {"kernel": NOT_FLOATING[dtype], "scale": jnp.ones(3)}}
    with pytest.raises(ValueError, match=f"dense/kernel: expected floating weights, got {dtype}"):
        make("dense/kernel")(KEY, params)


def test_quantized_values_are_refused():
    """Trees of quantized models hold int8 values and their scales."""
    values, scale = quantize(np.random.default_rng(0).normal(size=(4, 3)))
    params = {"kernel": {"qvalue": values, "scale": scale}}
    with pytest.raises(ValueError, match="kernel/qvalue: expected floating weights, got int8"):
        threshold_mask(where="kernel/.*").init(KEY, params)
    transform = threshold_mask(where="kernel/.*")
    scores = {"kernel/qvalue": jnp.ones((4, 3)), "kernel/scale": jnp.ones(())}
    for use in (transform.apply, transform.masks, jax.jit(transform.apply)):
        with pytest.raises(ValueError, match="kernel/qvalue: expected floating weights, got int8"):
            use(scores, params)


@jax.tree_util.register_pytree_with_keys_class
class Node:
    """A quantized weight that is a node of the tree, and a float array to its users."""

    def __init__(self, values: Any, scale: Any) -> None:
        self.values, self.scale = values, scale

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.scale.dtype)

    def __jax_array__(self) -> jax.Array:
        return self.values.astype(self.scale.dtype) * self.scale

    def tree_flatten_with_keys(self):
        key = jax.tree_util.GetAttrKey
        return ((key("values"), self.values), (key("scale"), self.scale)), None

    @classmethod
    def tree_unflatten(cls, _, parts):
        return cls(*parts)


def opaque(values: jax.Array, scale: jax.Array) -> Any:
    """A quantized weight that JAX takes for one leaf."""

    class Opaque:
        shape, dtype = values.shape, scale.dtype

        def __jax_array__(self) -> jax.Array:
            return values.astype(scale.dtype) * scale

    return Opaque()


@pytest.mark.parametrize("stand_in", [Node, opaque], ids=["node", "leaf"])
def test_masked_stand_in_dequantizes_itself(stand_in):
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    values, scale = quantize(weight)
    params = {"dense": {"kernel": stand_in(values, scale), "bias": jnp.zeros(3)}}
    plain = {"dense": {"kernel": values.astype(jnp.float32) * scale, "bias": jnp.zeros(3)}}
    transform = threshold_mask(0.5)
    scores = transform.init(KEY, params)
    np.testing.assert_array_equal(
        scores["dense/kernel"], transform.init(KEY, plain)["dense/kernel"]
    )

    def loss(scores, params):
        return jnp.sin(transform.apply(scores, params)["dense"]["kernel"]).sum()

    np.testing.assert_array_equal(loss(scores, params), loss(scores, plain))
    gradient, expected = (jax.grad(loss)(scores, some)["dense/kernel"] for some in (params, plain))
    np.testing.assert_array_equal(gradient, expected)
    assert np.abs(gradient).min() > 0


def test_flatten_keeps_a_stand_in_as_one_leaf():
    node = Node(jnp.ones(2, jnp.int8), jnp.float32(1))
    assert list(flatten_with_paths({"kernel": node})) == ["kernel"]
    replaced = update_leaves({"kernel": node, "bias": 1.0}, {"bias": 2.0})
    assert replaced["kernel"] is node
    floating = Node(jnp.ones(2), jnp.float32(1))  # holds floating arrays, as a variable would
    assert list(flatten_with_paths({"kernel": floating})) == ["kernel/values", "kernel/scale"]


SHARED = jnp.ones((4, 4))
VIEWED = np.ones((4, 4), np.float32)
TIED = {
    "the same array": ({"kernel": SHARED}, {"kernel": SHARED}),
    "a transposed view": ({"kernel": VIEWED}, {"kernel": VIEWED.T}),
    "one that is not chosen": ({"kernel": SHARED}, {"embedding": SHARED}),
}


@pytest.mark.parametrize("make", INITS.values(), ids=INITS)
@pytest.mark.parametrize("case", TIED)
def test_tied_leaves_are_refused_with_both_paths(make, case):
    a, b = TIED[case]
    params = {"a": a, "b": b}
    first, second = flatten_with_paths(params)
    with pytest.raises(ValueError, match=rf"{first} and {second} are one array \(tied weights\)"):
        make(".*/kernel")(KEY, params)
    copied = jax.tree.map(jnp.array, params)
    assert make(".*/kernel")(KEY, copied)


def test_apply_and_masks_refuse_tied_leaves():
    transform = threshold_mask()
    params = {"a": {"kernel": jnp.ones((2, 2))}, "b": {"kernel": jnp.zeros((2, 2))}}
    scores = transform.init(KEY, params)
    tied = {"a": params["a"], "b": params["a"]}
    for use in (transform.apply, transform.masks):
        with pytest.raises(ValueError, match="a/kernel and b/kernel are one array"):
            use(scores, tied)


def test_tied_leaves_that_are_not_masked_are_allowed():
    params = {"a": {"bias": SHARED}, "b": {"bias": SHARED, "kernel": jnp.ones((2, 2))}}
    assert list(threshold_mask().init(KEY, params)) == ["b/kernel"]
    views = np.arange(8, dtype=np.float32)  # parts of one buffer that do not overlap
    assert len(threshold_mask().init(KEY, {"a/kernel": views[:4], "b/kernel": views[4:]})) == 2


@pytest.mark.parametrize("make", INITS.values(), ids=INITS)
def test_a_rule_unties_leaves_that_are_one_array(make):
    params = {name: {"kernel": SHARED} for name in "abc"}
    rules = [Rule(pattern="[bc]/kernel", untie=True)]  # a is not selected
    learned = make(rules)(KEY, params)
    assert list(learned) == ["b/kernel", "c/kernel"]
    assert jax.tree.leaves(learned["b/kernel"])[0] is not jax.tree.leaves(learned["c/kernel"])[0]
    with pytest.raises(ValueError, match=r"a/kernel and b/kernel are one array"):
        make(["b/kernel", *rules])(KEY, params)


def test_untied_leaves_have_masks_of_their_own():
    params = {name: {"kernel": SHARED} for name in "ab"}
    transform = threshold_mask(0.5, where=Rule(pattern=".*", untie=True))
    scores = transform.init(KEY, params)
    masks, masked = transform.masks(scores, params), transform.apply(scores, params)
    assert (masks["a/kernel"] != masks["b/kernel"]).any()
    for name in "ab":
        np.testing.assert_array_equal(masked[name]["kernel"], masks[f"{name}/kernel"])


PARAMS = {name: {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)} for name in "abc"}


@pytest.mark.parametrize("factory", FACTORIES)
def test_missing_scores_are_named(factory):
    transform = FACTORIES[factory](0.5)
    scores = transform.init(KEY, PARAMS)
    for gone in (["b/kernel"], ["a/kernel", "c/kernel"], list(scores)):
        few = {path: leaf for path, leaf in scores.items() if path not in gone}
        message = rf"{len(gone)} are missing, such as {', '.join(gone)}; take the scores of init"
        for use in (transform.apply, transform.masks, jax.jit(transform.apply)):
            with pytest.raises(ValueError, match=message):
                use(few, PARAMS)


@pytest.mark.parametrize("factory", FACTORIES)
def test_nan_scores_are_named_or_give_nan_under_jit(factory):
    """NaN scores are refused by path outside jit; under jit the loss is NaN."""
    transform = FACTORIES[factory](0.5)
    scores = transform.init(KEY, PARAMS)
    scores["b/kernel"] = scores["b/kernel"].at[1, 0].set(jnp.nan)
    for use in (transform.apply, transform.masks):
        with pytest.raises(ValueError, match="scores of b/kernel: expected numbers, got NaN"):
            use(scores, PARAMS)
    masked = jax.jit(transform.apply)(scores, PARAMS)
    broken = {path: np.isnan(leaf) for path, leaf in flatten_with_paths(masked).items()}
    assert broken.pop("b/kernel").tolist() == [[False, False], [True, False]]
    assert not any(found.any() for found in broken.values())
    masks = jax.jit(transform.float_masks)(scores, PARAMS)
    assert np.isnan(mean_sparsity(masks))


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("dtype", [jnp.int32, bool])
def test_scores_that_are_not_floating_are_refused(factory, dtype):
    scores = {path: jnp.ones((2, 2), dtype) for path in ("a/kernel", "b/kernel", "c/kernel")}
    with pytest.raises(ValueError, match="scores of a/kernel: expected a floating dtype, got"):
        FACTORIES[factory](0.5).apply(scores, PARAMS)


@pytest.mark.parametrize("make", INITS.values(), ids=INITS)
@pytest.mark.parametrize("key", [PARAMS, 0, jnp.ones(2), None], ids=["params", "seed", "f", "None"])
def test_init_needs_a_random_key_first(make, key):
    with pytest.raises(ValueError, match=r"init\(key, params\): expected a random key first"):
        make(".*/kernel")(key, PARAMS)


def test_old_style_keys_give_the_same_scores():
    old, new = jax.random.PRNGKey(3), jax.random.key(3)
    found = [threshold_mask().init(key, PARAMS)["a/kernel"] for key in (old, new)]
    np.testing.assert_array_equal(*found)


def test_apply_needs_scores_first():
    with pytest.raises(
        ValueError, match=r"apply\(scores, params\): expected \{path: scores\} first"
    ):
        threshold_mask().apply([jnp.ones(2)], PARAMS)
    with pytest.raises(ValueError, match=r"got \['bias', 'kernel'\]; the params have"):
        threshold_mask().apply(PARAMS["a"], {"a/kernel": jnp.ones((2, 2))})


WHERE = {
    "a string": ".*/kernel",
    "a path": "b/kernel",
    "a rule": Rule(pattern="[bc]/.*"),
    "a list": [Rule(pattern="a/.*", select=False), ".*/kernel"],
    "a generator": (name for name in ("a/.*", "b/bias")),
    "a function": lambda path: path.startswith("c"),
}
SELECTED = {
    "a string": ["a/kernel", "b/kernel", "c/kernel"],
    "a path": ["b/kernel"],
    "a rule": ["b/bias", "b/kernel", "c/bias", "c/kernel"],
    "a list": ["b/kernel", "c/kernel"],
    "a generator": ["a/bias", "a/kernel", "b/bias"],
    "a function": ["c/bias", "c/kernel"],
}


@pytest.mark.parametrize("form", WHERE)
def test_every_form_of_where_selects_its_leaves(form):
    transform = threshold_mask(initializer=constant(-1.0), where=WHERE[form])
    for _ in range(2):  # a generator gives its rules once
        scores = transform.init(KEY, PARAMS)
        masked = flatten_with_paths(transform.apply(scores, PARAMS))
        assert list(scores) == SELECTED[form]
        assert [path for path, leaf in masked.items() if not leaf.any()] == SELECTED[form]


@pytest.mark.parametrize("where", [None, 3, {"a/kernel": True}, b"a/kernel", [None], ["a", 3]])
def test_where_of_an_unknown_form_is_refused(where):
    with pytest.raises(ValueError, match=r"Expected where to be a pattern .*, a Rule, a list of"):
        threshold_mask(where=where)


def test_function_that_selects_nothing_is_refused():
    with pytest.raises(ValueError, match="got nothing from the function; the paths are a/bias,"):
        threshold_mask(where=lambda path: False).init(KEY, PARAMS)


ODD = ["layer.1/kernel", "layerx1/kernel", "w+(a)/kernel", "[0/kernel", "a|b/kernel", "s*\\d/w$"]


@pytest.mark.parametrize("path", ODD)
def test_paths_with_metacharacters_match_exactly(path):
    params = {odd: jnp.ones((2, 2)) for odd in ODD}
    assert select_paths(ODD, path) == (path,)
    assert select_paths(ODD, [Rule(pattern=path, select=False), ".*"]) == tuple(
        odd for odd in ODD if odd != path
    )
    starts = {path: constant(-1.0), ".*": constant(1.0)}
    transform = threshold_mask(initializer=starts, where=".*")
    masks = transform.masks(transform.init(KEY, params), params)
    assert [odd for odd, mask in masks.items() if not mask.any()] == [path]
    assert choose(path, {path: 1}) == 1
