"""Sentences cut in the middle."""

from collections.abc import Iterable

import pandas as pd

from maskjax.tasks.docstrings.sentences import Sentence
from maskjax.tasks.docstrings.splits import distinct_texts, normalize

MIN_WORDS = 6


def cut_sentences(sentences: Iterable[Sentence]) -> pd.DataFrame:
    """Cuts sentences in the middle and keeps one per beginning and one per ending."""
    texts = distinct_texts(sentence.text for sentence in sentences)
    rows = [(text, *cut(text)) for text in texts if len(text.split()) >= MIN_WORDS]
    halves = pd.DataFrame(rows, columns=["text", "beginning", "ending"])
    for column in ("beginning", "ending"):
        halves = halves.loc[~halves[column].map(normalize).duplicated()]
    return halves


def cut(text: str) -> tuple[str, str]:
    """Cuts a sentence in the middle.

    Example:
        >>> cut("Return the inverse of a matrix now")
        ('Return the inverse', 'of a matrix now')
    """
    words = text.split()
    middle = len(words) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])
