"""The F1 score of named entities, read by seqeval from the tags O, B-TYPE and I-TYPE.

Two readings are in use. That of `conlleval`, the program of the shared tasks of CoNLL, begins an
entity also at an I- that no entity of its type precedes. The strict reading of IOB2 accepts no
entity without a B-. In both, an entity is correct if its first word, last word and type are.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

ENTITY_METRICS = ("entity_f1", "entity_f1_strict")


def tag_parts(tag: str) -> tuple[str, str] | None:
    """Splits a tag into its prefix and type; None if it is not a tag of an entity.

    Example:
        >>> tag_parts("B-PER"), tag_parts("O"), tag_parts("VERB")
        (('B', 'PER'), ('O', ''), None)
    """
    if tag == "O":
        return "O", ""
    prefix, _, name = tag.partition("-")
    return (prefix, name) if prefix in ("B", "I") and name else None


def count_orphans(tags: Sequence[str], sizes: np.ndarray) -> int:
    """Counts the entities that begin with I-.

    Example:
        >>> count_orphans(["O", "I-X", "I-X", "B-X", "I-Y"], np.array([3, 2]))
        2
    """
    pairs = [pair for sentence in _split(tags, sizes) for pair in pairwise(["O", *sentence])]
    return sum(tag[:2] == "I-" and previous not in (tag, f"B{tag[1:]}") for previous, tag in pairs)


def entity_score(
    metric: str,
    predictions: np.ndarray,
    labels: np.ndarray,
    *,
    names: Sequence[str],
    sizes: np.ndarray,
) -> float:
    """Computes the F1 score of entities, over all types together.

    Args:
        metric: "entity_f1" reads tags as conlleval does, "entity_f1_strict" as strict IOB2.
        predictions: Class ids, or -1 for words without a prediction, which count as O; [words].
        labels: The true class ids; [words].
        names: The tags in the order of their class ids.
        sizes: The number of words of each sentence; [sentences].

    Returns:
        A number from 0 to 1; 0 if there are no entities and none are predicted.

    Raises:
        ValueError: If the metric is unknown, or the shapes do not fit.

    Example:
        >>> names, sizes = ("O", "B-X", "I-X"), np.array([3, 2])
        >>> predicted, actual = np.array([1, 2, 0, 0, 1]), np.array([1, 2, 0, 2, 2])
        >>> entity_score("entity_f1", predicted, actual, names=names, sizes=sizes)
        0.5
    """
    from seqeval.metrics import f1_score  # slow to import
    from seqeval.scheme import IOB2

    if metric not in ENTITY_METRICS:
        raise ValueError(f"Expected one of {', '.join(ENTITY_METRICS)}, got {metric!r}.")
    if predictions.shape != labels.shape or labels.shape != (int(sizes.sum()),):
        raise ValueError(
            f"Expected one prediction and one label for each of {int(sizes.sum())} words, got"
            f" {predictions.shape} and {labels.shape}."
        )
    tags = [*names, "O"]  # the last is that of class -1
    predicted, actual = (
        _split([tags[label] for label in ids.tolist()], sizes) for ids in (predictions, labels)
    )
    reading: dict[str, Any] = {"zero_division": 0}  # which its annotation takes for a text
    if metric != "entity_f1":
        reading |= {"mode": "strict", "scheme": IOB2}
    score: Any = f1_score(actual, predicted, **reading)
    return float(score)


def _split(tags: Sequence[str], sizes: np.ndarray) -> list[list[str]]:
    """The tags of each sentence."""
    ends = np.cumsum(sizes).tolist()
    return [list(tags[begin:end]) for begin, end in pairwise([0, *ends])]
