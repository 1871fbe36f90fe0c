"""Protected weights stay for any scores and optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.masking import (
    PER_MATRIX,
    PER_WEIGHT,
    by_path,
    constant,
    flatten_with_paths,
    mean_sparsity,
    per_head,
    proportional,
    sign_mask,
    threshold_mask,
    top_k_mask,
)

KEY = jax.random.key(0)
OPTIMIZERS = {
    "sgd": lambda: optax.sgd(10.0),
    "momentum": lambda: optax.sgd(1.0, momentum=0.9, nesterov=True),
    "signsgd": lambda: optax.sign_sgd(0.1),
    "adam": lambda: optax.adam(0.1),
    "adamw": lambda: optax.adamw(0.1, weight_decay=1.0),
    "nadamw": lambda: optax.nadamw(0.1, weight_decay=1.0),
    "lion": lambda: optax.lion(0.1, weight_decay=1.0),
    "adafactor": lambda: optax.adafactor(0.1),
    "rmsprop": lambda: optax.rmsprop(0.1),
    "adagrad": lambda: optax.adagrad(0.5),
    "lamb": lambda: optax.lamb(0.1, weight_decay=1.0),
    "lars": lambda: optax.lars(1.0, weight_decay=1.0, trust_coefficient=0.1),
    "novograd": lambda: optax.novograd(0.1, weight_decay=1.0),
    "yogi": lambda: optax.yogi(0.1),
    "adan": lambda: optax.adan(0.1, weight_decay=1.0),
    "decayed": lambda: optax.chain(optax.add_decayed_weights(1.0), optax.sgd(0.5)),
}
TRANSFORMS = {"threshold": threshold_mask, "sign": sign_mask, "top_k": top_k_mask}


def make_params() -> dict:
    rng = np.random.default_rng(0)
    return {
        name: {"kernel": jnp.asarray(rng.normal(size=(16, 24)), jnp.float32)} for name in ("a", "b")
    }


def small(weight: jax.Array, multiple: float) -> np.ndarray:
    size = np.abs(np.asarray(weight, np.float64))
    return size < multiple * size.mean()


def train(transform, params, optimizer, steps: int = 25) -> dict:
    """Descends in the sum of all weights, whose gradient drops the positive ones."""

    def loss(scores):
        return sum(leaf.sum() for leaf in jax.tree.leaves(transform.apply(scores, params)))

    @jax.jit
    def step(scores, state):
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(jax.grad(loss)(scores), state, scores)
            return optax.apply_updates(scores, updates), state

    scores = transform.init(KEY, params)
    state = optimizer.init(scores)
    for _ in range(steps):
        scores, state = step(scores, state)
    return scores


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_keeps_protected_weights(name):
    params = make_params()
    transform = threshold_mask(initializer=proportional(0.05, protect=0.5))
    scores = train(transform, params, OPTIMIZERS[name]())
    masks, leaves = transform.masks(scores, params), flatten_with_paths(params)
    dropped = 0
    for path, mask in masks.items():
        protected = small(leaves[path], 0.5)
        assert 0.2 < protected.mean() < 0.5
        assert np.asarray(mask)[protected].all()
        assert np.isfinite(scores[path]).all()
        dropped += int((~np.asarray(mask)).sum())
    assert dropped > 50  # the others are free to go


@pytest.mark.parametrize("factory", TRANSFORMS)
def test_protection_depends_on_weights_and_not_on_scores(factory):
    """For any scores the mask is one at small weights and the binarizer's elsewhere."""
    params = make_params()
    where, weight = "a/kernel", params["a"]["kernel"]
    common = {"where": where, **({"sparsity": 0.4} if factory == "top_k" else {})}
    guarded = TRANSFORMS[factory](initializer=proportional(protect=0.7), **common)
    free = TRANSFORMS[factory](initializer=proportional(), **common)
    noise = {where: jnp.asarray(np.random.default_rng(1).normal(size=(16, 24)), jnp.float32)}
    protected = small(weight, 0.7)
    mask = np.asarray(guarded.masks(noise, params)[where])
    assert mask[protected].all()
    if factory == "top_k":
        assert (~mask).sum() == round(0.4 * mask.size)
        kept = np.asarray(noise[where])[mask & ~protected]
        assert kept.min() > np.asarray(noise[where])[~mask].max()
    else:
        np.testing.assert_array_equal(
            mask, np.asarray(free.masks(noise, params)[where]) | protected
        )
    gradient = jax.grad(lambda s: guarded.apply(s, params)["a"]["kernel"].sum())(noise)[where]
    reached = np.abs(np.asarray(noise[where])) < 1 if factory == "sign" else True
    expected = np.where(protected | ~np.broadcast_to(reached, mask.shape), 0, np.asarray(weight))
    np.testing.assert_array_equal(gradient, expected)


def test_protection_has_precedence_over_the_count_of_top_k():
    params = make_params()
    transform = top_k_mask(0.99, initializer=proportional(protect=1.0))
    masks = transform.masks(transform.init(KEY, params), params)
    for path, mask in masks.items():
        assert np.asarray(mask)[small(flatten_with_paths(params)[path], 1.0)].all()


@pytest.mark.parametrize("granularity", ["weight", "matrix", "head"])
def test_scores_that_are_shared_protect_by_their_mean_size(granularity):
    here = "encoder/layer/0/attention/self/query/kernel"
    weight = np.array([[0.1, 0.1, 3, -3, 1, 1]] * 2, np.float32)
    each = {"weight": PER_WEIGHT, "matrix": PER_MATRIX, "head": per_head(3)}[granularity]
    transform = threshold_mask(
        initializer=proportional(protect=0.5), where=here, granularity=by_path({".*": each})
    )
    params = {here: jnp.asarray(weight)}
    shape = transform.init(KEY, params)[here].shape
    mask = transform.masks({here: jnp.full(shape, -1.0)}, params)[here]
    expected = {"weight": weight == 0.1, "head": weight == 0.1, "matrix": np.zeros((2, 6), bool)}
    np.testing.assert_array_equal(mask, expected[granularity])


def test_protection_is_set_per_initializer():
    params = make_params()
    starts = {"a/kernel": constant(0.5), ".*": proportional(protect=0.5)}
    transform = threshold_mask(initializer=starts)
    low = {path: jnp.full((16, 24), -1.0) for path in ("a/kernel", "b/kernel")}
    masks = transform.masks(low, params)
    assert not masks["a/kernel"].any()
    np.testing.assert_array_equal(masks["b/kernel"], small(params["b"]["kernel"], 0.5))
    sparsity = float(mean_sparsity(transform.float_masks(low, params)))
    assert sparsity == pytest.approx(np.mean([~np.asarray(mask) for mask in masks.values()]))


def test_protection_does_not_hide_scores_of_a_wrong_shape():
    transform = threshold_mask(initializer=proportional(protect=0.5), where="a/kernel")
    with pytest.raises(
        ValueError, match=r"scores of a/kernel: expected shape \(16, 24\), got \(16, 1"
    ):
        transform.apply({"a/kernel": jnp.ones((16, 1))}, make_params())


@pytest.mark.parametrize("value", [jnp.inf, jnp.nan])
def test_initial_scores_that_are_not_finite_are_refused(value):
    transform = threshold_mask(initializer=lambda key, size: jnp.full(size.shape, value))
    with pytest.raises(
        ValueError, match=r"initial scores of a/kernel: expected finite .* proportional\(protect"
    ):
        transform.init(KEY, make_params())
