"""Masks over other people's pytrees: a few steps of training, frozen arrays do not change."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

from maskjax.masking import flatten_with_paths, threshold_mask

KEY = jax.random.key(0)
WIDTHS = (6, 16, 3)


class Net(NamedTuple):
    """A network as its framework has it: a pytree, a function over it, and its matrices."""

    params: Any
    apply: Callable[[Any, jax.Array], jax.Array]
    kernels: list[str]


def plain() -> Net:
    rng = np.random.default_rng(0)
    params = [
        {"w": jnp.asarray(rng.normal(size=(a, b)) / a**0.5, jnp.float32), "b": jnp.zeros(b)}
        for a, b in itertools.pairwise(WIDTHS)
    ]

    def apply(params, x):
        hidden = jnp.tanh(x @ params[0]["w"] + params[0]["b"][None, :])
        return hidden @ params[1]["w"] + params[1]["b"][None, :]

    return Net(params, apply, ["0/w", "1/w"])


def haiku_like() -> Net:
    """Haiku's names of modules hold the separator of paths themselves."""
    params, apply, _ = plain()
    names = ["mlp/~/linear_0", "mlp/~/linear_1"]
    named = dict(zip(names, params, strict=True))
    return Net(named, lambda p, x: apply([p[n] for n in names], x), [f"{n}/w" for n in names])


def flax_nnx() -> Net:
    class Mlp(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.first = nnx.Linear(WIDTHS[0], WIDTHS[1], rngs=rngs)
            self.second = nnx.Linear(WIDTHS[1], WIDTHS[2], rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.second(jnp.tanh(self.first(x)))

    graphdef, state = nnx.split(Mlp(nnx.Rngs(0)))
    kernels = ["first/kernel/value", "second/kernel/value"]
    return Net(state, lambda state, x: nnx.merge(graphdef, state)(x), kernels)


def flax_linen() -> Net:
    class Mlp(linen.Module):
        @linen.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            return linen.Dense(WIDTHS[2])(jnp.tanh(linen.Dense(WIDTHS[1])(x)))

    variables = Mlp().init(KEY, jnp.ones((1, WIDTHS[0])))
    return Net(variables, Mlp().apply, ["params/Dense_0/kernel", "params/Dense_1/kernel"])


def make_equinox() -> eqx.nn.MLP:
    return eqx.nn.MLP(WIDTHS[0], WIDTHS[2], WIDTHS[1], 1, activation=jnp.tanh, key=KEY)


def equinox_partitioned() -> Net:
    """Arrays on one side, as in a jitted step; the other side holds functions."""
    arrays, rest = eqx.partition(make_equinox(), eqx.is_array)
    return Net(
        arrays,
        lambda arrays, x: jax.vmap(eqx.combine(arrays, rest))(x),
        ["layers/0/weight", "layers/1/weight"],
    )


def equinox_module() -> Net:
    """The module itself, with leaves that are no arrays."""
    kernels = ["layers/0/weight", "layers/1/weight"]
    return Net(make_equinox(), lambda module, x: jax.vmap(module)(x), kernels)


NETS = {
    make.__name__: make
    for make in (plain, haiku_like, flax_nnx, flax_linen, equinox_partitioned, equinox_module)
}


@pytest.fixture(params=NETS)
def net(request) -> Net:
    return NETS[request.param]()


def bits(params: Any) -> dict[str, bytes]:
    leaves = flatten_with_paths(params).items()
    return {path: np.asarray(leaf).tobytes() for path, leaf in leaves if eqx.is_array(leaf)}


def test_masking_keeps_the_tree_and_other_leaves(net):
    """Masking gives the same type of tree, in which only the matrices have changed."""
    transform = threshold_mask(0.5, where=net.kernels)
    scores = transform.init(KEY, net.params)
    masked = transform.apply(scores, net.params)
    assert list(scores) == net.kernels
    assert jax.tree.structure(masked) == jax.tree.structure(net.params)
    before, after = bits(net.params), bits(masked)
    assert {path for path in before if before[path] != after[path]} == set(net.kernels)


def test_training_scores_lowers_the_loss_and_leaves_params_unchanged(net):
    """Scores learn the outputs of a hidden mask; the net does not change."""
    transform = threshold_mask(0.3, where=net.kernels)
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(64, WIDTHS[0])), jnp.float32)
    hidden_mask = transform.init(jax.random.key(5), net.params)
    target = net.apply(transform.apply(hidden_mask, net.params), x)
    optimizer = optax.adam(0.03)
    before = bits(net.params)

    def loss(scores):
        return jnp.square(net.apply(transform.apply(scores, net.params), x) - target).mean()

    @jax.jit
    def step(scores, state):
        value, gradient = jax.value_and_grad(loss)(scores)
        with jax.numpy_dtype_promotion("standard"):  # Adam raises floats to integer powers
            updates, state = optimizer.update(gradient, state, scores)
        return optax.apply_updates(scores, updates), state, value

    scores = transform.init(KEY, net.params)
    state = optimizer.init(scores)
    losses = []
    for _ in range(60):
        scores, state, value = step(scores, state)
        losses.append(float(value))
    assert min(losses) < 0.5 * losses[0]
    assert bits(net.params) == before
    assert list(scores) == net.kernels
    assert {s.dtype for s in scores.values()} == {np.dtype("float32")}
