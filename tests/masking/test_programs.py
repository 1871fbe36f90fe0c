"""What the traced program holds: no gradient of a frozen leaf, and one program for all masks."""

from collections.abc import Iterator

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import flatten_with_paths, threshold_mask, update_leaves
from maskjax.masking.transform import MASKED_WEIGHT

# Leaves and hidden states (of 4 tokens) have shapes of their own, so that a product is known by
# its shape, transposed or not.
SHAPES = {
    "embedding/table": (50, 3),
    "first/kernel": (3, 5),
    "first/bias": (5,),
    "second/kernel": (5, 7),
    "second/bias": (7,),
    "head/kernel": (7, 2),
}
KERNELS = ["first/kernel", "head/kernel", "second/kernel"]
TOKENS = jnp.array([1, 4, 9, 16])
FORWARD = [(4, 5), (4, 7), (2, 4)]
KEY = jax.random.key(0)


def make_params() -> dict:
    rng = np.random.default_rng(0)
    tree: dict = {}
    for path, shape in SHAPES.items():
        module, leaf = path.split("/")
        tree.setdefault(module, {})[leaf] = jnp.asarray(rng.normal(size=shape), jnp.float32)
    return tree


def loss_of(params) -> jax.Array:
    hidden = params["embedding"]["table"][TOKENS]
    for layer in ("first", "second"):
        hidden = jnp.tanh(hidden @ params[layer]["kernel"] + params[layer]["bias"][None, :])
    return jnp.square(hidden @ params["head"]["kernel"]).mean()


def program(trained, adapt):
    """The traced loss and its gradient in the trainable."""
    step = jax.value_and_grad(lambda t, p: loss_of(adapt(t, p)))
    return jax.make_jaxpr(step)(trained, make_params()).jaxpr


def masked_program(where: list[str]):
    transform = threshold_mask(where=where)
    return program(transform.init(KEY, make_params()), transform.apply)


def equations(jaxpr) -> Iterator:
    """All equations, also those of inner programs."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def made_by(jaxpr, primitive: str) -> list[tuple[int, ...]]:
    """The shapes that a primitive gives, each in ascending order."""
    found = (e for e in equations(jaxpr) if e.primitive.name == primitive)
    return sorted(tuple(sorted(out.aval.shape)) for e in found for out in e.outvars)


@pytest.mark.parametrize(
    ("where", "backward"),
    [
        (["head/kernel"], [(2, 7)]),
        (["second/kernel"], [(4, 7), (5, 7)]),
        (["second/kernel", "head/kernel"], [(4, 7), (5, 7), (2, 7)]),
        (["first/kernel"], [(4, 7), (4, 5), (3, 5)]),
        (KERNELS, [(4, 7), (4, 5), (3, 5), (5, 7), (2, 7)]),
    ],
)
def test_no_gradient_of_a_frozen_leaf_is_computed(where, backward):
    """The backward pass has the products of masked kernels and of the states between them.

    (4, 7) and (4, 5) are the gradients in hidden states, the others those in kernels. Below the
    lowest masked kernel there is none, and nowhere one in a bias or in the embedding.
    """
    jaxpr = masked_program(where)
    assert made_by(jaxpr, "dot_general") == sorted(FORWARD + backward)
    assert made_by(jaxpr, "scatter-add") == []
    assert made_by(jaxpr, "reduce_sum") == [()]
    scores = sorted(out.aval.shape for out in jaxpr.outvars[1:])
    assert scores == sorted(SHAPES[path] for path in where)


def test_finetuning_computes_gradients_of_every_leaf():
    """The same count finds the gradients of the embedding and of biases where there are any."""
    leaves = flatten_with_paths(make_params())
    jaxpr = program(leaves, lambda weights, params: update_leaves(params, weights))
    assert made_by(jaxpr, "scatter-add") == [(3, 50)]
    assert set(made_by(jaxpr, "reduce_sum")) == {(), (5,), (7,)}


def test_masked_weights_are_named_for_recomputing():
    """Each masked leaf has one name, so that a remat policy can drop it."""
    names = [e for e in equations(masked_program(KERNELS)) if e.primitive.name == "name"]
    assert {e.params["name"] for e in names} == {MASKED_WEIGHT}
    shapes = {e.outvars[0].aval.shape for e in names}
    assert shapes == {SHAPES[path] for path in KERNELS}


def test_one_program_for_all_masks():
    """Scores and base are arguments; scores of other rules are refused."""
    params = make_params()
    both, head = threshold_mask(where=KERNELS), threshold_mask(where=["head/kernel"])
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def run(scores, params):
        return loss_of(both.apply(scores, params))

    losses = [run(both.init(jax.random.key(seed), params), params) for seed in range(3)]
    run(both.init(KEY, params), jax.tree.map(lambda leaf: leaf + 1, params))
    assert len({float(loss) for loss in losses}) == 3
    with pytest.raises(ValueError, match="2 are missing, such as first/kernel, second/kernel"):
        jax.jit(both.apply)(head.init(KEY, params), params)
