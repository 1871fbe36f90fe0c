"""The F1 score of named entities, read from the tags O, B-TYPE and I-TYPE.

Two readings are in use. That of `conlleval`, the program of the shared tasks of CoNLL, begins an
entity also at an I- that no entity of its type stands before. The strict reading of IOB2 knows no
entity without a B-. In both, an entity is right if its first word, last word and type are.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

ENTITY_METRICS = ("entity_f1", "entity_f1_strict")


class Entity(NamedTuple):
    """An entity in a sequence of words.

    Attributes:
        start: The number of its first word.
        end: One more than the number of its last word.
        type: What follows B- and I-.
    """

    start: int
    end: int
    type: str


def tag_parts(tag: str) -> tuple[str, str] | None:
    """Takes a tag apart.

    Example:
        >>> tag_parts("B-PER"), tag_parts("O"), tag_parts("VERB")
        (('B', 'PER'), ('O', ''), None)
    """
    if tag == "O":
        return "O", ""
    prefix, _, kind = tag.partition("-")
    return (prefix, kind) if prefix in ("B", "I") and kind else None


def entities(tags: Sequence[str], sizes: np.ndarray, *, strict: bool = False) -> set[Entity]:
    """Finds the entities of sentences.

    Example:
        >>> sorted(entities(["B-X", "I-X", "I-Y", "O"], np.array([4])))
        [Entity(start=0, end=2, type='X'), Entity(start=2, end=3, type='Y')]
        >>> entities(["B-X", "I-X", "I-Y", "O"], np.array([4]), strict=True)
        {Entity(start=0, end=2, type='X')}
    """
    return {entity for first, entity in _chunks(tags, sizes) if first == "B" or not strict}


def count_orphans(tags: Sequence[str], sizes: np.ndarray) -> int:
    """Counts the entities that begin with I-.

    Example:
        >>> count_orphans(["O", "I-X", "I-X", "B-X", "I-Y"], np.array([3, 2]))
        2
    """
    return sum(first == "I" for first, _ in _chunks(tags, sizes))


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
        ValueError: If the metric is another one, or the shapes do not fit.

    Example:
        >>> names, sizes = ("O", "B-X", "I-X"), np.array([3, 2])
        >>> predicted, actual = np.array([1, 2, 0, 0, 1]), np.array([1, 2, 0, 2, 2])
        >>> entity_score("entity_f1", predicted, actual, names=names, sizes=sizes)
        0.5
    """
    if metric not in ENTITY_METRICS:
        raise ValueError(f"Expected one of {', '.join(ENTITY_METRICS)}, got {metric!r}.")
    if predictions.shape != labels.shape or labels.shape != (int(sizes.sum()),):
        raise ValueError(
            f"Expected one prediction and one label for each of {int(sizes.sum())} words, got"
            f" {predictions.shape} and {labels.shape}."
        )
    tags = [*names, "O"]  # the last is that of class -1
    found, true = (
        entities([tags[label] for label in ids.tolist()], sizes, strict=metric != "entity_f1")
        for ids in (predictions, labels)
    )
    return 2 * len(found & true) / max(len(found) + len(true), 1)


def _chunks(tags: Sequence[str], sizes: np.ndarray) -> Iterator[tuple[str, Entity]]:
    """The entities as conlleval reads them, each with the prefix of its first tag."""
    ends = np.cumsum(sizes).tolist()
    for begin, end in zip([0, *ends], ends, strict=False):
        parts = [tag_parts(tag) or ("O", "") for tag in tags[begin:end]]
        place = 0
        while place < len(parts):
            start, (prefix, kind) = place, parts[place]
            place += 1
            if prefix != "O":
                while place < len(parts) and parts[place] == ("I", kind):
                    place += 1
                yield prefix, Entity(begin + start, begin + place, kind)
