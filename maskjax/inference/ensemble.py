"""Several models of one task as one: their logits, probabilities or votes together."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import softmax

By = Literal["logits", "probabilities", "vote"]


def combine_logits(members: Sequence[np.ndarray], by: By = "logits") -> np.ndarray:
    """Combines the logits of the members of an ensemble.

    Args:
        members: Logits `[units, outputs]` of each member.
        by: The mean of the logits; the mean of the probabilities; or the share of votes. Where
            classes have equally many votes, that with the highest mean probability wins.

    Returns:
        `[units, outputs]` float32, whose highest value in a row is the ensemble's class. A row
        that is NaN in some member, of a word that the member did not see, is NaN.

    Raises:
        ValueError: If there are no members, their shapes differ, or single numbers are to vote.

    Example:
        >>> members = [np.array([[4.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])]
        >>> [combine_logits(members, by).argmax() for by in ("logits", "probabilities", "vote")]
        [np.int64(0), np.int64(0), np.int64(1)]
    """
    _check(members, by)
    logits = np.stack(members).astype(np.float64)
    if by == "logits":
        return logits.mean(axis=0).astype(np.float32)
    probabilities = softmax(logits, axis=2).mean(axis=0)
    if by == "probabilities":
        return probabilities.astype(np.float32)
    return _votes(logits, probabilities)


def _votes(logits: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Votes and mean probabilities, which are less than a vote and so only decide ties."""
    members, _, outputs = logits.shape
    votes = np.eye(outputs)[logits.argmax(axis=2)].sum(axis=0)
    return ((votes + probabilities) / (members + 1)).astype(np.float32)


def _check(members: Sequence[np.ndarray], by: By) -> None:
    shapes = {member.shape for member in members}
    if len(shapes) != 1:
        raise ValueError(f"Expected members of one shape, got {sorted(shapes) or 'no members'}.")
    if by != "logits" and shapes.pop()[1] == 1:
        raise ValueError(f"Expected several outputs to combine by {by}, got one.")
