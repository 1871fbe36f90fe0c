"""The task "ending": which of two endings belongs to this beginning?"""

from collections.abc import Iterable

import pandas as pd

from maskjax.tasks.docstrings.halves import cut_sentences
from maskjax.tasks.docstrings.pairs import pair_texts
from maskjax.tasks.docstrings.sentences import Sentence
from maskjax.tasks.docstrings.splits import split


def ending_rows(sentences: Iterable[Sentence]) -> dict[str, pd.DataFrame]:
    """Lists beginnings of sentences, each with its own ending and with that of another sentence.

    Every ending is the correct one in one row and the incorrect one in another, so that an ending
    alone does not reveal the label.
    """
    splits = split(cut_sentences(sentences))
    return {name: _pair_endings(halves) for name, halves in splits.items()}


def _pair_endings(halves: pd.DataFrame) -> pd.DataFrame:
    # Rows are in the order of hashes, so the next sentence is as good as drawn at random.
    endings = halves["ending"].tolist()
    return pair_texts(
        "beginning", halves["beginning"].tolist(), "ending", endings, endings[1:] + endings[:1]
    )
