"""Results on meshes of explicit and of automatic axes equal those of one device."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from maskjax.adaptation import fixed_masks, lora, train_weights
from maskjax.masking import (
    PER_MATRIX,
    PER_WEIGHT,
    bernoulli_mask,
    constant,
    flatten_with_paths,
    magnitude,
    mean_sparsity,
    per_head,
    proportional,
    sign_mask,
    threshold_mask,
    top_k_mask,
    uniform,
)
from maskjax.masking.initializers import double_uniform, random_count
from maskjax.masking.packed import (
    PackedMask,
    pack_bit_planes,
    pack_bits,
    unpack_bit_planes,
    unpack_bits,
)

KEY = jax.random.key(0)
HERE = "encoder/layer/0/attention/self"
SPECS = {
    f"{HERE}/query/kernel": PartitionSpec("data", "model"),
    f"{HERE}/key/kernel": PartitionSpec(None, "model"),
    f"{HERE}/value/kernel": PartitionSpec(("data", "model"), None),
}
WHERE = ".*/kernel"
FACTORIES = {
    "threshold": threshold_mask,
    "sign": sign_mask,
    "bernoulli": bernoulli_mask,
    "top_k": top_k_mask,
    "global_top_k": partial(top_k_mask, scope="global"),
}
INITIALIZERS = {
    "uniform": uniform(0.3),
    "constant": constant(0.5),
    "proportional": proportional(0.1, protect=0.5),
    "magnitude": magnitude(0.3),
    "random_count": random_count(0.3),
    "double_uniform": double_uniform(0.3),
}
GRANULARITIES = {"weight": PER_WEIGHT, "matrix": PER_MATRIX, "head": per_head(4)}
AXES = {"explicit": AxisType.Explicit, "auto": AxisType.Auto}
SLOW = pytest.mark.slow


@pytest.fixture(params=["explicit", pytest.param("auto", marks=SLOW)])
def mesh(request) -> jax.sharding.Mesh:
    return jax.make_mesh((2, 2), ("data", "model"), (AXES[request.param],) * 2)


def whole_params() -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    return {path: jnp.asarray(rng.normal(size=(8, 16)), jnp.float32) for path in SPECS}


def divide(leaves: dict[str, jax.Array], mesh: jax.sharding.Mesh) -> dict[str, jax.Array]:
    return {p: jax.device_put(x, NamedSharding(mesh, SPECS[p])) for p, x in leaves.items()}


def check_same(found: dict, expected: dict, **tolerance: float) -> None:
    assert list(found) == list(expected)
    for path, leaf in expected.items():
        np.testing.assert_allclose(found[path], leaf, rtol=1e-5, err_msg=path, **tolerance)


def check_all(transform, mesh, key=None) -> None:
    """Scores, masked weights, masks and gradients, called directly and compiled."""
    whole = whole_params()
    divided = divide(whole, mesh)

    def results(scores, params):
        def loss(scores):
            masked = transform.apply(scores, params, key=key)
            return sum((jnp.sin(leaf).sum() for leaf in masked.values()), jnp.float32(0)), masked

        gradients, masked = jax.grad(loss, has_aux=True)(scores)
        masks = transform.masks(scores, params)
        return masked, masks, gradients, mean_sparsity(transform.float_masks(scores, params))

    scores = transform.init(KEY, whole)
    expected = results(scores, whole)
    with jax.set_mesh(mesh):
        check_same(jax.jit(transform.init)(KEY, divided), scores, atol=1e-7)
        placed = transform.init(KEY, divided)
        check_same(placed, scores, atol=1e-7)
        masked, masks, gradients, sparsity = jax.jit(results)(placed, divided)
        check_same(transform.apply(placed, divided, key=key), expected[0])
        check_same(transform.masks(placed, divided), expected[1])
    check_same(masked, expected[0])
    check_same(masks, expected[1])
    check_same(gradients, expected[2], atol=1e-5)
    np.testing.assert_allclose(sparsity, expected[3], rtol=1e-6)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize(
    "granularity", ["weight", *(pytest.param(n, marks=SLOW) for n in ("matrix", "head"))]
)
def test_sharded_transforms_match_one_device(mesh, factory, granularity):
    if (factory, granularity) == ("top_k", "matrix"):
        pytest.skip("half of the one score of a matrix is none")
    each = GRANULARITIES[granularity]
    transform = FACTORIES[factory](0.5, where=WHERE, granularity=each)
    check_all(transform, mesh, jax.random.key(3) if factory == "bernoulli" else None)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_sharded_initializers_match_one_device(mesh, initializer):
    check_all(threshold_mask(initializer=INITIALIZERS[initializer], where=WHERE), mesh)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_scores_are_sharded_like_their_weights(mesh, initializer):
    """This holds without a mesh in the context, and for a compiled init on explicit axes."""
    divided = divide(whole_params(), mesh)
    transform = threshold_mask(initializer=INITIALIZERS[initializer], where=WHERE)
    found = [transform.init(KEY, divided)]
    if AxisType.Explicit in mesh.axis_types:
        with jax.set_mesh(mesh):
            found.append(jax.jit(transform.init)(KEY, divided))
    for path, leaf in (item for scores in found for item in scores.items()):
        assert leaf.sharding.is_equivalent_to(divided[path].sharding, 2), path
        assert len(leaf.sharding.device_set) == 4


@pytest.mark.parametrize("granularity", ["matrix", "head"])
def test_shared_scores_are_on_every_device(mesh, granularity):
    divided = divide(whole_params(), mesh)
    each = GRANULARITIES[granularity]
    for start in INITIALIZERS.values():
        transform = threshold_mask(initializer=start, where=WHERE, granularity=each)
        for scores in transform.init(KEY, divided).values():
            assert len(scores.sharding.device_set) == 4


def test_scores_are_on_the_device_of_their_weights():
    second = jax.devices()[1]
    for each in GRANULARITIES.values():
        params = jax.device_put(whole_params(), second)
        transform = threshold_mask(where=WHERE, granularity=each)
        scores = transform.init(KEY, params)
        for leaf in (*scores.values(), *transform.apply(scores, params).values()):
            assert leaf.devices() == {second}


def test_packing_sharded_masks_matches_one_device(mesh):
    for path, leaf in whole_params().items():
        mask = np.asarray(leaf > 0)
        divided = divide({path: jnp.asarray(mask)}, mesh)[path]
        with jax.set_mesh(mesh):
            for wrap in (lambda f: f, jax.jit):
                packed = wrap(pack_bits)(divided)
                np.testing.assert_array_equal(packed, pack_bits(mask))
                spread = jax.device_put(packed, NamedSharding(mesh, PartitionSpec("data")))
                unpacked = wrap(lambda bits: unpack_bits(bits, (8, 16)))(spread)
                np.testing.assert_array_equal(unpacked, mask)
            wide = np.tile(mask, (2, 1))
            planes = pack_bit_planes(wide)
            for spec in (PartitionSpec("data", "model"), PartitionSpec(None, "data")):
                spread = jax.device_put(planes, NamedSharding(mesh, spec))
                for wrap in (lambda f: f, jax.jit):
                    found = wrap(lambda bits: unpack_bit_planes(bits, 16))(spread)
                    np.testing.assert_array_equal(found, wide)
        assert PackedMask.of(divided).zeros == int((~mask).sum())


ADAPTATIONS = {
    "lora": lambda: lora(WHERE, rank=2),
    "weights": lambda: train_weights(WHERE),
    "fixed": lambda: fixed_masks(
        {path: PackedMask.of(np.asarray(leaf > 0)) for path, leaf in whole_params().items()}
    ),
}


@pytest.mark.parametrize("name", ADAPTATIONS)
def test_other_sharded_adaptations_match_one_device(mesh, name):
    adaptation, whole = ADAPTATIONS[name](), whole_params()
    divided = divide(whole, mesh)
    moved = jax.tree.map(lambda leaf: leaf + 0.25, adaptation.init(KEY, whole))
    expected = adaptation.apply(moved, whole)
    with jax.set_mesh(mesh):
        trainable = jax.tree.map(lambda leaf: leaf + 0.25, adaptation.init(KEY, divided))
        adapted = adaptation.apply(trainable, divided)
        compiled = jax.jit(adaptation.apply)(trainable, divided)
        merged = adaptation.finalize(trainable, divided).apply(divided)
    for leaf in jax.tree.leaves(trainable):
        assert len(leaf.sharding.device_set) == 4
    for found in (adapted, compiled, merged):
        check_same(found, expected, atol=1e-6)
    for path, leaf in adapted.items():
        assert leaf.sharding.is_equivalent_to(divided[path].sharding, 2)


def test_mixed_placements_match_one_device():
    """Some leaves are sharded and others on one device, as while a model is moved."""
    mesh = jax.make_mesh((2, 2), ("data", "model"), (AxisType.Auto,) * 2)
    whole = whole_params()
    first, *rest = whole
    mixed = {**divide({first: whole[first]}, mesh), **{path: whole[path] for path in rest}}
    transform = threshold_mask(initializer=magnitude(0.5), where=WHERE)
    scores = transform.init(KEY, mixed)
    check_same(flatten_with_paths(transform.apply(scores, mixed)), transform.apply(scores, whole))
