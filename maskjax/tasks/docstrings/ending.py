"""The task "ending": which of two endings belongs to this beginning?"""

from collections.abc import Iterable

import pandas as pd

from maskjax.tasks.docstrings.halves import cut_sentences
from maskjax.tasks.docstrings.offer import offer
from maskjax.tasks.docstrings.sentences import Sentence
from maskjax.tasks.docstrings.splits import split


def ending_rows(sentences: Iterable[Sentence]) -> dict[str, pd.DataFrame]:
    """Lists beginnings of sentences, each with its own ending and with that of another sentence.

    Every ending is once the right one and once the wrong one, so that an ending alone reveals
    nothing.

    Args:
        sentences: The sentences of the corpus.

    Returns:
        The splits "train", "dev" and "test" with the columns `beginning`, `first_ending`,
        `second_ending` and `label`, "first" or "second". No half of a sentence is in two of them.
    """
    return {name: _exchange(part) for name, part in split(cut_sentences(sentences)).items()}


def _exchange(halves: pd.DataFrame) -> pd.DataFrame:
    # The order is that of hashes, so that the next sentence is one drawn at random.
    endings = halves["ending"].tolist()
    return offer(
        "beginning", halves["beginning"].tolist(), "ending", endings, endings[1:] + endings[:1]
    )
