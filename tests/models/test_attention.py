"""Attention within a window and rotations, against formulas over all pairs in NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.models.attention import Projected, attend_nearby, merge_heads, split_heads
from maskjax.models.rotary import make_rotation, rotate


def draw(seq: int, seed: int = 0) -> Projected:
    keys = jax.random.split(jax.random.key(seed), 3)
    return Projected(*(jax.random.normal(key, (2, 3, seq, 4)) for key in keys))


def by_pairs(x: Projected, is_token: np.ndarray, window: int) -> np.ndarray:
    """Softmax over the tokens that are near, one query at a time, in float64."""
    queries, keys, values = (np.asarray(part, np.float64) for part in x)
    context = np.zeros(queries.shape)
    for row, head, q in np.ndindex(queries.shape[:3]):
        near = [k for k in range(keys.shape[2]) if abs(q - k) <= window and is_token[row, k]]
        if near:
            scores = keys[row, head, near] @ queries[row, head, q] / 2
            weights = np.exp(scores - scores.max())
            context[row, head, q] = weights / weights.sum() @ values[row, head, near]
    return context


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("seq", [1, 4, 8, 9, 20, 21, 23])
def test_only_tokens_within_the_window_are_seen(seq, window):
    is_token = np.arange(seq)[None, :] < np.array([[seq], [max(1, seq - 3)]])
    x = draw(seq)
    attend = jax.jit(attend_nearby, static_argnums=(2, 3))
    ours = np.asarray(attend(x, jnp.asarray(is_token), window, 0.0, None))
    expected = by_pairs(x, is_token, window)
    kept = np.broadcast_to(is_token[:, None, :], ours.shape[:3])
    np.testing.assert_allclose(ours[kept], expected[kept], atol=1e-6)


def test_a_token_far_away_has_no_gradient():
    is_token = jnp.ones((2, 40), bool)

    def one(values):
        return attend_nearby(draw(40)._replace(values=values), is_token, 3, 0.0, None)[
            :, :, 17
        ].sum()

    reached = np.abs(np.asarray(jax.grad(one)(draw(40).values))).sum((0, 1, 3)) > 0
    assert np.flatnonzero(reached).tolist() == list(range(14, 21))


def test_scores_grow_with_the_length():
    def largest(seq):
        is_token = jnp.ones((2, seq), bool)
        traced = jax.make_jaxpr(lambda x: attend_nearby(x, is_token, 16, 0.0, None))(draw(seq))
        return max(out.aval.size for step in traced.eqns for out in step.outvars)

    assert largest(2048) == 4 * largest(512) == 2 * 3 * 2048 * 64  # four windows for each query


def test_heads_are_split_and_merged():
    x = jnp.arange(2 * 5 * 6, dtype=jnp.float32).reshape(10, 6)
    heads = split_heads(x, 2, 3)
    assert heads.shape == (2, 2, 5, 3)
    np.testing.assert_array_equal(heads[1, 0, 2], x[7, :3])
    chex.assert_trees_all_equal(merge_heads(heads), x)


def test_scores_of_rotated_vectors_depend_on_their_distance():
    q, k = draw(1).queries[:1, :1], draw(1).keys[:1, :1]
    rotation = make_rotation(50, 4, 100.0)
    turned_q, turned_k = (
        rotate(jnp.broadcast_to(x, (1, 1, 50, 4)), rotation)[0, 0] for x in (q, k)
    )
    scores = np.asarray(turned_q) @ np.asarray(turned_k).T
    for distance in (-20, -1, 0, 7):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-5)
    assert np.ptp(scores) > 0.1
    # Complex numbers: the i-th features of both halves are one number.
    place, theta = 13, 100.0 ** -np.array([0, 0.5])
    number = (np.asarray(q)[0, 0, 0, :2] + 1j * np.asarray(q)[0, 0, 0, 2:]) * np.exp(
        1j * place * theta
    )
    np.testing.assert_allclose(turned_q[place], [*number.real, *number.imag], atol=1e-5)
