"""One battery over all transforms: shapes, dtypes, gradients, keys and errors."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import (
    PER_MATRIX,
    PER_WEIGHT,
    bernoulli_mask,
    constant,
    flatten_with_paths,
    magnitude,
    per_head,
    sign_mask,
    threshold_mask,
    top_k_mask,
)

FACTORIES = {
    "threshold": threshold_mask,
    "sign": sign_mask,
    "bernoulli": bernoulli_mask,
    "top_k": top_k_mask,
    "global_top_k": partial(top_k_mask, scope="global"),
}
GRANULARITIES = {"weight": PER_WEIGHT, "matrix": PER_MATRIX, "head": per_head(3)}
SCORE_SHAPES = {"weight": (4, 6), "matrix": (), "head": (3,)}
HERE = "encoder/layer/0/attention/self"
PATHS = [f"{HERE}/{name}/kernel" for name in ("key", "query", "value")]
WHERE = (rf"{HERE}/(?:query|key|value)/kernel",)
KEY = jax.random.key(0)


def make_params(dtype=jnp.float32) -> dict:
    """Leaves without zeros, in both modules that are masked and ones that are not."""
    rng = np.random.default_rng(0)

    def leaf(*shape: int) -> jax.Array:
        return jnp.asarray(rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape), dtype)

    modules = {name: {"kernel": leaf(4, 6), "bias": leaf(6)} for name in ("query", "key", "value")}
    block = {"attention": {"self": modules}, "norm": {"scale": leaf(6)}}
    return {"encoder": {"layer": {"0": block}}, "classifier": {"kernel": leaf(6, 2)}}


def noise(scores: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Scores on both sides of every threshold."""
    rng = np.random.default_rng(1)
    draws = rng.permutation(np.linspace(-0.9, 0.9, sum(s.size for s in scores.values())))
    ends = np.cumsum([s.size for s in scores.values()])
    parts = np.split(draws.astype(np.float32), ends[:-1])
    return {p: jnp.asarray(v.reshape(scores[p].shape)) for p, v in zip(scores, parts, strict=True)}


@pytest.fixture(params=FACTORIES)
def factory(request) -> str:
    return request.param


# Half of the one score of a matrix is none: top-k of each matrix makes no sense there.
PAIRS = [(f, g) for f in FACTORIES for g in GRANULARITIES if (f, g) != ("top_k", "matrix")]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request) -> tuple[str, str]:
    return request.param


def make_transform(factory: str, granularity: str):
    return FACTORIES[factory](0.5, where=WHERE, granularity=GRANULARITIES[granularity])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_init_apply_and_masks_keep_shapes_dtypes_and_trees(pair, dtype):
    transform, granularity = make_transform(*pair), pair[1]
    params = make_params(dtype)
    leaves = flatten_with_paths(params)
    scores = transform.init(KEY, params)
    assert list(scores) == PATHS
    assert {s.shape for s in scores.values()} == {SCORE_SHAPES[granularity]}
    assert {s.dtype for s in scores.values()} == {np.dtype("float32")}

    scores = noise(scores)
    masked = transform.apply(scores, params)
    assert jax.tree.structure(masked) == jax.tree.structure(params)
    masks = transform.masks(scores, params)
    assert list(masks) == PATHS
    every = np.concatenate([np.ravel(mask) for mask in masks.values()])
    assert every.any()
    assert not every.all()
    for path, leaf in flatten_with_paths(masked).items():
        if path in PATHS:
            assert masks[path].dtype == bool
            assert leaf.dtype == dtype
            expected = np.where(masks[path], leaves[path], np.zeros((), leaf.dtype))
            np.testing.assert_array_equal(leaf, expected)
        else:
            assert leaf is leaves[path]

    compiled = jax.jit(lambda s, p: (transform.apply(s, p), transform.masks(s, p)))
    jax.tree.map(np.testing.assert_array_equal, compiled(scores, params), (masked, masks))


def test_gradients_reach_scores_only(pair):
    """∂L/∂S is ∂L/∂Ŵ ⊙ W, summed over the weights of a score."""
    transform, granularity = make_transform(*pair), pair[1]
    params = make_params()
    scores = noise(transform.init(KEY, params))

    def of_params(params):
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(params))

    gradient = jax.grad(lambda s: of_params(transform.apply(s, params)))(scores)
    weights, upstream = (
        flatten_with_paths(tree)
        for tree in (params, jax.grad(of_params)(transform.apply(scores, params)))
    )
    for path in scores:
        each = upstream[path] * weights[path]
        shared = {
            "weight": each,
            "matrix": each.sum(),
            "head": each.reshape(4, 3, 2).sum(axis=(0, 2)),
        }[granularity]
        np.testing.assert_allclose(gradient[path], shared, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("key", [None, KEY], ids=["likelier", "sampled"])
def test_bernoulli_gradients_match_the_formula(key):
    """The gradient is the identity's, as in the reference code, or has the sigmoid's slope."""
    params = {"kernel": jnp.asarray(np.random.default_rng(0).normal(size=(4, 6)), jnp.float32)}
    scores = {"kernel": jnp.asarray(np.random.default_rng(1).normal(size=(4, 6)), jnp.float32)}

    def gradient(**options):
        transform = bernoulli_mask(0.5, where="kernel", **options)
        return jax.grad(lambda s: jnp.sin(transform.apply(s, params, key=key)["kernel"]).sum())

    found = {
        name: gradient(**options)(scores)["kernel"]
        for name, options in {
            "default": {},
            "identity": {"gradient": "identity"},
            "sigmoid": {"gradient": "sigmoid"},
        }.items()
    }
    chance = 1 / (1 + np.exp(-np.asarray(scores["kernel"], np.float64)))
    np.testing.assert_array_equal(found["default"], found["identity"])
    slope = chance * (1 - chance)
    np.testing.assert_allclose(found["sigmoid"], found["identity"] * slope, rtol=1e-4)
    with pytest.raises(ValueError, match="got 'straight'"):
        bernoulli_mask(gradient="straight")


def test_gradients_are_float32_for_bfloat16_weights(factory):
    transform = make_transform(factory, "weight")
    params = make_params(jnp.bfloat16)
    scores = noise(transform.init(KEY, params))

    def loss(scores):
        masked = transform.apply(scores, params)
        return sum(leaf.sum(dtype=jnp.float32) for leaf in jax.tree.leaves(masked))

    gradient = jax.grad(loss)(scores)
    assert {g.dtype for g in gradient.values()} == {np.dtype("float32")}
    assert all(jnp.abs(g).sum() > 0 for g in gradient.values())


def test_key_changes_bernoulli_masks_only(factory):
    transform = make_transform(factory, "weight")
    params = make_params()
    scores = noise(transform.init(KEY, params))
    plain, one, again, two = (
        transform.apply(scores, params, key=key)
        for key in (None, jax.random.key(1), jax.random.key(1), jax.random.key(2))
    )
    jax.tree.map(np.testing.assert_array_equal, one, again)
    same = jax.tree.leaves(jax.tree.map(jnp.array_equal, plain, one))
    assert all(same) == (factory != "bernoulli")
    assert all(jax.tree.leaves(jax.tree.map(jnp.array_equal, one, two))) == all(same)


def test_bernoulli_samples_each_leaf_by_its_own_key():
    params = {name: {"kernel": jnp.ones((40, 50))} for name in "ab"}
    transform = bernoulli_mask(0.5)
    scores = {f"{name}/kernel": jnp.full((40, 50), 1.0) for name in "ab"}
    masked = flatten_with_paths(transform.apply(scores, params, key=KEY))
    a, b = (np.asarray(leaf) for leaf in masked.values())
    probability = 1 / (1 + np.exp(-1.0))
    for kept, expected in ((a, probability), (b, probability), (a * b, probability**2)):
        assert abs(kept.mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)


@pytest.mark.parametrize("scope", ["matrix", "global"])
@pytest.mark.parametrize("sparsity", [0.05, 0.3, 1.0])
def test_top_k_keeps_the_share_of_a_stable_sort(scope, sparsity):
    """A stable sort of each leaf, or of all, agrees; half of the scores are equal."""
    shapes = {"a/kernel": (3, 5), "b/kernel": (7, 2), "c/kernel": (11,)}
    rng = np.random.default_rng(3)
    scores = {p: np.round(rng.normal(size=s), 1).astype(np.float32) for p, s in shapes.items()}
    params = {path: jnp.ones(shape) for path, shape in shapes.items()}
    masks = top_k_mask(sparsity, scope=scope).masks(jax.tree.map(jnp.asarray, scores), params)

    def brute_force(flat: np.ndarray) -> np.ndarray:
        keep = round((1 - sparsity) * flat.size)
        kept = np.zeros(flat.size, bool)
        kept[sorted(range(flat.size), key=lambda i: -flat[i])[:keep]] = True
        return kept

    groups = [list(shapes)] if scope == "global" else [[path] for path in shapes]
    for group in groups:
        found = np.concatenate([np.asarray(masks[path]).ravel() for path in group])
        expected = brute_force(np.concatenate([scores[path].ravel() for path in group]))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("factory", ["threshold", "sign"])
def test_initial_masks_have_the_requested_sparsity(factory):
    params = {"kernel": jnp.ones((200, 200))}
    transform = FACTORIES[factory](0.1, where=["kernel"])
    masks = transform.masks(transform.init(KEY, params), params)
    assert abs((~masks["kernel"]).mean() - 0.1) < 5 * np.sqrt(0.09 / 40_000)


def test_bernoulli_starts_at_the_requested_probability():
    scores = bernoulli_mask(0.1, where=["kernel"]).init(KEY, {"kernel": jnp.ones(3)})
    np.testing.assert_allclose(1 / (1 + np.exp(scores["kernel"])), 0.1, rtol=1e-6)


def test_binarizer_and_initializer_share_the_threshold():
    transform = threshold_mask(0.25, threshold=0.5, where=["kernel"])
    params = {"kernel": jnp.ones((100, 100))}
    start = transform.masks(transform.init(KEY, params), params)["kernel"]
    assert abs((~start).mean() - 0.25) < 0.03
    at = {"kernel": jnp.full((100, 100), 0.5)}
    assert not transform.masks(at, params)["kernel"].any()


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_an_initializer_sees_the_weights(granularity):
    """The smallest magnitudes are dropped at every granularity."""
    params = make_params()
    transform = threshold_mask(
        initializer=magnitude(0.5), where=WHERE, granularity=GRANULARITIES[granularity]
    )
    scores, leaves = transform.init(KEY, params), flatten_with_paths(params)
    for path in PATHS:
        size = np.abs(np.asarray(leaves[path]))
        shared = {"weight": size, "matrix": size.mean(), "head": size.reshape(4, 3, 2).mean((0, 2))}
        flat = np.ravel(shared[granularity])
        dropped = np.flatnonzero(np.ravel(scores[path]) == 0)
        np.testing.assert_array_equal(dropped, np.sort(np.argsort(flat)[: round(flat.size / 2)]))


def test_each_leaf_has_its_own_scores():
    """Equal shapes do not share numbers, and other leaves change nothing."""
    params = {name: {"kernel": jnp.ones((4, 4))} for name in "ab"}
    init = threshold_mask().init
    scores = init(KEY, params)
    assert (scores["a/kernel"] != scores["b/kernel"]).all()
    more = init(KEY, {"A": {"kernel": jnp.ones((4, 4))}, **params})
    for path, before in scores.items():
        np.testing.assert_array_equal(more[path], before)
    assert (init(jax.random.key(1), params)["a/kernel"] != scores["a/kernel"]).all()


def test_init_is_the_same_under_jit():
    params = make_params()
    init = threshold_mask(where=WHERE).init
    jax.tree.map(np.testing.assert_array_equal, jax.jit(init)(KEY, params), init(KEY, params))


def test_scores_of_an_unknown_leaf_are_refused(factory):
    transform = FACTORIES[factory](0.5)
    params = {"kernel": jnp.ones((2, 2))}
    for use in (transform.apply, transform.masks):
        with pytest.raises(ValueError, match=r"got \['kernl'\]; the params have \['kernel'\]"):
            use({"kernl": jnp.ones((2, 2))}, params)


def test_scores_of_a_wrong_shape_are_refused(factory):
    with pytest.raises(ValueError, match=r"kernel: expected a mask of shape \(2, 2\), got \(2, 1"):
        FACTORIES[factory](0.5).apply({"kernel": jnp.ones((2, 1))}, {"kernel": jnp.ones((2, 2))})


def test_rules_that_match_nothing_are_refused(factory):
    with pytest.raises(ValueError, match=r"'.\*/weight' matches no path"):
        FACTORIES[factory](0.5, where=[".*/weight"]).init(KEY, make_params())


@pytest.mark.parametrize(
    ("factory", "impossible"),
    [("threshold", 0.0), ("sign", 0.0), ("bernoulli", 0.0), ("bernoulli", 1.0), ("top_k", 1.5)],
)
def test_impossible_sparsities_are_refused(factory, impossible):
    with pytest.raises(ValueError, match=f"Expected a sparsity in .* got {impossible}"):
        FACTORIES[factory](impossible)


@pytest.mark.parametrize("factory", ["threshold", "sign", "bernoulli"])
def test_zero_sparsity_error_names_initializers_that_keep_all(factory):
    with pytest.raises(ValueError, match=r"initializer=proportional\(\) or constant\(\.\.\.\)"):
        FACTORIES[factory](0.0)
    transform = FACTORIES[factory](initializer=constant(0.5), where="kernel")
    params = {"kernel": jnp.ones((3, 3))}
    assert transform.masks(transform.init(KEY, params), params)["kernel"].all()


def test_sparsity_is_ignored_when_an_initializer_is_given(factory):
    transform = FACTORIES[factory](0.0, initializer=constant(0.5), where="kernel")
    scores = transform.init(KEY, {"kernel": jnp.ones((2, 2))})
    np.testing.assert_array_equal(scores["kernel"], np.full((2, 2), np.float32(0.5)))
