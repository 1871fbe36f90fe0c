"""Ensembles against loops over units, members and classes."""

import numpy as np
import pytest

from maskjax.inference import combine_logits


@pytest.fixture
def members() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(0, 2, (200, 4)).astype(np.float32) for _ in range(4)]


def probabilities(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row.astype(np.float64))
    return powers / powers.sum()


def winner(rows: list[np.ndarray]) -> int:
    """The class that most rows vote for; among equals that with the most probability."""
    votes = [sum(int(row.argmax()) == c for row in rows) for c in range(len(rows[0]))]
    likely = sum(probabilities(row) for row in rows)
    return max(range(len(votes)), key=lambda c: (votes[c], likely[c]))


def test_combined_logits_and_probabilities_are_means(members):
    for unit in range(len(members[0])):
        rows = [member[unit] for member in members]
        by_logits = combine_logits(members, "logits")[unit]
        np.testing.assert_allclose(by_logits, sum(rows) / 4, rtol=1e-5, atol=1e-6)
        expected = sum(probabilities(row) for row in rows) / 4
        np.testing.assert_allclose(combine_logits(members, "probabilities")[unit], expected, 1e-5)


def test_the_majority_wins_and_ties_go_to_the_likelier_class(members):
    by_vote = combine_logits(members, "vote")
    expected = [winner([member[unit] for member in members]) for unit in range(200)]
    assert by_vote.argmax(axis=1).tolist() == expected
    np.testing.assert_allclose(by_vote.sum(axis=1), 1, rtol=1e-5)
    votes = np.stack([np.bincount(row, minlength=4) for row in np.argmax(members, axis=2).T])
    ties = (np.sort(votes, axis=1)[:, -1] == np.sort(votes, axis=1)[:, -2]).sum()
    assert ties > 20
    assert (by_vote.argmax(axis=1) != combine_logits(members, "logits").argmax(axis=1)).any()


def test_a_vote_outweighs_any_probability():
    """Two members are barely for the first class, one is sure of the second."""
    members = [np.array([[0.01, 0.0]]), np.array([[0.01, 0.0]]), np.array([[0.0, 50.0]])]
    assert combine_logits(members, "vote").argmax() == 0
    assert combine_logits(members, "probabilities").argmax() == 1


@pytest.mark.parametrize("by", ["logits", "probabilities", "vote"])
def test_cut_off_words_stay_nan(members, by):
    cut = [member.copy() for member in members]
    cut[1][3] = np.nan
    combined = combine_logits(cut, by)
    assert np.isnan(combined[3]).all()
    others = np.arange(200) != 3
    np.testing.assert_array_equal(combined[others], combine_logits(members, by)[others])
    assert combined.dtype == np.float32


@pytest.mark.parametrize(
    ("members", "by", "message"),
    [
        ([], "logits", "no members"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], "logits", r"\(2, 3\), \(2, 4\)"),
        ([np.zeros((2, 1))], "vote", "several outputs to combine by vote"),
        ([np.zeros((2, 1))], "probabilities", "several outputs"),
    ],
)
def test_members_that_do_not_fit_are_refused(members, by, message):
    with pytest.raises(ValueError, match=message):
        combine_logits(members, by)
