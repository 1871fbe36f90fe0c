"""The task "order": which of two sentences is as its author wrote it?"""

from collections.abc import Iterable

import pandas as pd

from maskjax.tasks.docstrings.offer import offer
from maskjax.tasks.docstrings.sentences import Sentence
from maskjax.tasks.docstrings.splits import distinct_texts, hash_text, split


def order_rows(sentences: Iterable[Sentence]) -> dict[str, pd.DataFrame]:
    """Lists each sentence as it was written, next to itself with two adjacent words swapped.

    Args:
        sentences: The sentences of the corpus; those without two words to swap are left out.

    Returns:
        The splits "train", "dev" and "test" with the columns `object`, which is what the sentence
        documents, `first_sentence`, `second_sentence` and `label`, "first" or "second".
    """
    kinds = {sentence.text: sentence.kind for sentence in sentences}
    texts = [text for text in distinct_texts(kinds) if swap_words(text) != text]
    usable = pd.DataFrame({"text": texts, "object": [kinds[text] for text in texts]})
    return {name: _both_forms(part) for name, part in split(usable).items()}


def swap_words(text: str) -> str:
    """Swaps two adjacent words, at a place that the hash of the text decides.

    Example:
        >>> swap_words("Return the sum")
        'Return sum the'
        >>> swap_words("Sort it")
        'Sort it'
    """
    words = text.split()
    places = [place for place in range(1, len(words) - 1) if _can_swap(*words[place : place + 2])]
    if not places:
        return text
    place = places[hash_text(text) // 10 % len(places)]  # the last digit chooses the split
    words[place : place + 2] = words[place + 1], words[place]
    return " ".join(words)


def _can_swap(first: str, second: str) -> bool:
    return first.isalpha() and second.isalpha() and first.lower() != second.lower()


def _both_forms(originals: pd.DataFrame) -> pd.DataFrame:
    texts = originals["text"].tolist()
    objects, swapped = originals["object"].tolist(), [swap_words(text) for text in texts]
    return offer("object", objects, "sentence", texts, swapped)
