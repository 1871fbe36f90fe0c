"""Binarizers have no forward mode; the two lines of their documentation have it."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import (
    binarizers,
    constant,
    hard_threshold,
    mask_transform,
    threshold_mask,
)

PARAMS = {"kernel": jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)}
SCORES = {"kernel": jnp.asarray(np.random.default_rng(1).normal(size=(4, 3)), jnp.float32)}


def documented_lines() -> str:
    """The indented block of the module's docstring."""
    lines = str(binarizers.__doc__).splitlines()
    return "\n".join(line.strip() for line in lines if line.startswith("    mask = "))


def by_two_lines(scores: jax.Array, threshold: float = 0.01) -> jax.Array:
    names = {"jax": jax, "scores": scores, "threshold": threshold}
    exec(documented_lines(), names)
    return names["mask"]


TWO_LINES = mask_transform(
    lambda scores, key: {path: by_two_lines(s) for path, s in scores.items()},
    constant(0.5),
    where="kernel",
)


def loss(scores, transform=TWO_LINES) -> jax.Array:
    return jnp.sin(transform.apply(scores, PARAMS)["kernel"]).sum()


def test_documentation_shows_the_lines_of_the_docstring():
    page = (Path(__file__).parents[2] / "docs" / "masking.md").read_text(encoding="utf8")
    shown = page.split("def two_lines(scores, threshold=0.01):\n")[1].split("\n\n")[0]
    assert documented_lines().count("\n") == 1
    assert [line.strip() for line in shown.splitlines()] == [
        line.replace("mask = jax", "return jax") for line in documented_lines().splitlines()
    ]


def test_a_custom_vjp_has_no_forward_mode():
    custom = threshold_mask(where="kernel")
    for differentiate in (jax.jvp, lambda f, x, t: jax.jacfwd(f)(*x)):
        with pytest.raises(TypeError, match="custom_vjp"):
            differentiate(lambda s: loss(s, custom), (SCORES,), (SCORES,))


def test_two_lines_equal_the_binarizer():
    s = SCORES["kernel"]
    np.testing.assert_array_equal(by_two_lines(s), hard_threshold(s))
    custom = threshold_mask(where="kernel")
    for scores in (SCORES, {"kernel": 100 * s}):
        found, expected = (jax.grad(loss)(scores, t)["kernel"] for t in (TWO_LINES, custom))
        np.testing.assert_array_equal(found, expected)


def test_two_lines_have_the_forward_derivative():
    """The tangent of M is that of S: d loss = Σ cos(Ŵ) W dS."""
    tangent = {"kernel": jnp.asarray(np.random.default_rng(2).normal(size=(4, 3)), jnp.float32)}
    value, slope = jax.jvp(loss, (SCORES,), (tangent,))
    weight, mask = np.asarray(PARAMS["kernel"]), np.asarray(SCORES["kernel"]) > 0.01
    np.testing.assert_allclose(value, np.sin(weight * mask).sum(), rtol=1e-5)
    expected = (np.cos(weight * mask) * weight * tangent["kernel"]).sum()
    np.testing.assert_allclose(slope, expected, rtol=1e-5)
    np.testing.assert_allclose(jax.jacfwd(loss)(SCORES)["kernel"], jax.grad(loss)(SCORES)["kernel"])


def test_second_derivatives_match_the_formula():
    """The two lines use forward over reverse mode, the binarizer reverse over reverse."""
    custom = threshold_mask(where="kernel")
    flat = SCORES["kernel"].ravel()

    def of(transform):
        return lambda s: loss({"kernel": s.reshape(4, 3)}, transform)

    forward = jax.jacfwd(jax.grad(of(TWO_LINES)))(flat)
    reverse = jax.jacrev(jax.grad(of(custom)))(flat)
    weight = np.asarray(PARAMS["kernel"]).ravel()
    expected = np.diag(-np.sin(weight * (np.asarray(flat) > 0.01)) * weight**2)
    np.testing.assert_allclose(forward, expected, atol=1e-5)
    np.testing.assert_allclose(reverse, expected, atol=1e-5)
