"""Rules on paths against `re.fullmatch`, paths and keys of leaves."""

import re

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskjax.masking import Rule, flatten_with_paths, update_leaves
from maskjax.masking.paths import fold_in_path
from maskjax.masking.selection import choose, select_paths

PATHS = [f"{a}/{b}/{c}" for a in "01" for b in ("key", "query") for c in ("bias", "kernel")]
PATTERNS = [
    ".*",
    "0/.*",
    "1/k",
    ".*/key/.*",
    ".*/kernel",
    "1/query/bias",
    ".*bias",
    "0/query/(?:kernel)",
]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    paths=st.lists(st.sampled_from(PATHS), min_size=1, unique=True),
    rules=st.lists(
        st.builds(lambda p, s: Rule(pattern=p, select=s), st.sampled_from(PATTERNS), st.booleans()),
        min_size=1,
        max_size=4,
        unique=True,
    ),
)
def test_first_full_match_decides(paths, rules):
    deciding = {p: next((r for r in rules if re.fullmatch(r.pattern, p)), None) for p in paths}
    expected = tuple(p for p in paths if deciding[p] is not None and deciding[p].select)
    if expected and set(rules) <= set(deciding.values()):
        assert select_paths(paths, rules) == expected
    else:
        with pytest.raises(ValueError, match=r"Rule '|select something"):
            select_paths(paths, rules)


@pytest.mark.parametrize("part", ["key/kernel", "0/key"])
def test_pattern_must_match_the_whole_path(part):
    rules = [Rule(pattern=part, select=False), ".*"]
    with pytest.raises(ValueError, match=f"'{part}' matches no path"):
        select_paths(PATHS, rules)


def test_string_is_a_rule_that_selects():
    assert select_paths(PATHS, ["0/key/.*"]) == select_paths(PATHS, [Rule(pattern="0/key/.*")])


def test_unmatched_rule_error_suggests_similar_paths():
    with pytest.raises(ValueError, match=r"'1/qery/kernel' matches no path of the 8.*1/query/k"):
        select_paths(PATHS, [".*/key/kernel", "1/qery/kernel"])


def test_rule_hidden_by_earlier_ones_is_refused():
    with pytest.raises(ValueError, match=r"'0/key/bias' decides nothing: earlier rules"):
        select_paths(PATHS, ["0/.*", "0/key/bias"])


@pytest.mark.parametrize("rules", [[], [Rule(pattern=".*", select=False)]])
def test_rules_that_select_nothing_are_refused(rules):
    with pytest.raises(ValueError, match="select something"):
        select_paths(PATHS, rules)


def test_invalid_regular_expression_is_refused():
    with pytest.raises(ValueError, match=r"'\(kernel' is not a regular expression: missing \)"):
        select_paths(PATHS, ["(kernel"])


def test_first_pattern_that_matches_the_whole_path_decides():
    choices = {"key/.*": 1, ".*/key/.*": 2, "0/.*": 3}
    assert [choose(path, choices) for path in ("0/key/bias", "0/query/bias")] == [2, 3]
    with pytest.raises(ValueError, match=r"1/query/bias: expected a pattern that matches it"):
        choose("1/query/bias", choices)


def test_paths_join_keys_indices_and_attributes():
    tree = {"b": [1, (2, {"c": 3})], "a": None, "d": Rule}
    assert flatten_with_paths({"b": tree["b"]}) == {"b/0": 1, "b/1/0": 2, "b/1/1/c": 3}
    assert list(flatten_with_paths(tree).values()) == jax.tree.leaves(tree)


def test_two_leaves_with_one_path_are_refused():
    with pytest.raises(ValueError, match="share the path 'a/b'"):
        flatten_with_paths({"a/b": 1, "a": {"b": 2}})


def test_update_leaves_keeps_other_leaves():
    tree = {"a": [np.zeros(2), np.ones(2)], "b": np.ones(3)}
    new = update_leaves(tree, {"a/1": 5})
    assert (new["a"][1], tree["a"][1].tolist()) == (5, [1, 1])
    assert new["a"][0] is tree["a"][0]
    assert new["b"] is tree["b"]


def test_replacing_a_missing_leaf_is_refused():
    with pytest.raises(ValueError, match=r"got \['a/2'\]; the tree has \['a/0'"):
        update_leaves({"a": [0, 1]}, {"a/2": 5})


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_every_path_has_its_own_key(make):
    """Keys keep their type, differ by path, and are the same on every machine (a literal)."""
    data = [jax.random.key_data(fold_in_path(make(0), path)).tolist() for path in PATHS]
    assert len(set(map(tuple, data))) == len(PATHS)
    assert fold_in_path(make(0), "a/kernel").dtype == make(0).dtype
    assert jax.random.key_data(fold_in_path(make(0), "a/kernel")).tolist() == [
        3237359888,
        2909808792,
    ]
