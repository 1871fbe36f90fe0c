"""The task "order": which of two sentences is as its author wrote it?"""

from collections.abc import Iterable

import pandas as pd

from maskjax.tasks.docstrings.pairs import pair_texts
from maskjax.tasks.docstrings.sentences import Sentence
from maskjax.tasks.docstrings.splits import distinct_texts, hash_text, split


def order_rows(sentences: Iterable[Sentence]) -> dict[str, pd.DataFrame]:
    """Lists each sentence as it was written, next to itself with two adjacent words swapped."""
    object_types = {sentence.text: sentence.kind for sentence in sentences}
    texts = [text for text in distinct_texts(object_types) if swap_words(text) != text]
    usable = pd.DataFrame({"text": texts, "object": [object_types[text] for text in texts]})
    return {name: _pair_with_swapped(originals) for name, originals in split(usable).items()}


def swap_words(text: str) -> str:
    """Swaps two adjacent words, at a position that follows from the hash of the text.

    Example:
        >>> swap_words("Return the sum")
        'Return sum the'
        >>> swap_words("Sort it")
        'Sort it'
    """
    words = text.split()
    positions = [i for i in range(1, len(words) - 1) if _can_swap(*words[i : i + 2])]
    if not positions:
        return text
    i = positions[hash_text(text) // 10 % len(positions)]  # the last digit chooses the split
    words[i : i + 2] = words[i + 1], words[i]
    return " ".join(words)


def _can_swap(first: str, second: str) -> bool:
    return first.isalpha() and second.isalpha() and first.lower() != second.lower()


def _pair_with_swapped(originals: pd.DataFrame) -> pd.DataFrame:
    texts = originals["text"].tolist()
    objects, swapped = originals["object"].tolist(), [swap_words(text) for text in texts]
    return pair_texts("object", objects, "sentence", texts, swapped)
