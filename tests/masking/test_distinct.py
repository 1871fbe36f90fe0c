"""Arrays that are the leaves of several paths."""

import jax.numpy as jnp

from maskjax.masking.distinct import distinct_leaves, once_per_array


def test_an_array_under_several_paths_is_one_leaf():
    one, other = jnp.ones(3), jnp.ones(3)
    found = distinct_leaves({"a": one, "b": {"c": one}, "d": other})
    assert [leaf is one or leaf is other for leaf in found] == [True, True]


def test_a_function_is_called_once_for_each_array_and_argument():
    calls = []
    function = once_per_array(lambda *arguments: calls.append(arguments) or object())
    one, other = jnp.ones(3), jnp.ones(3)
    assert function(one, "x") is function(one, "x")
    assert function(one, "x") is not function(one, "y")
    assert function(other, "x") is not function(one, "x")
    assert len(calls) == 3


def test_arrays_of_one_call_each_are_not_taken_for_others():
    """A freed array's id can be that of the next one."""
    double = once_per_array(lambda leaf: 2 * leaf)
    assert [float(double(jnp.float32(n))) for n in range(50)] == [2.0 * n for n in range(50)]
