"""Deduplication, balancing and splits, which depend on the hashes of texts only."""

import re
from collections.abc import Iterable
from hashlib import blake2b

import pandas as pd


def deduplicate(sentences: pd.DataFrame) -> pd.DataFrame:
    """Keeps one row of each text; drops texts that occur with two labels.

    Args:
        sentences: The columns `text` and `label`. Texts that differ in case and punctuation only
            are the same.

    Returns:
        The rows kept, in alphabetical order.

    Example:
        >>> rows = [("Sort it!", "a"), ("sort it", "a"), ("Add", "a"), ("Add", "b")]
        >>> deduplicate(pd.DataFrame(rows, columns=["text", "label"])).values.tolist()
        [['Sort it!', 'a']]
    """
    ordered = sentences.sort_values("text")
    words = ordered["text"].map(normalize)
    label_count = ordered.groupby(words)["label"].transform("nunique")
    return ordered.loc[(label_count == 1) & ~words.duplicated()]


def distinct_texts(texts: Iterable[str]) -> list[str]:
    """Keeps one of the texts that differ in case and punctuation only."""
    representatives = {normalize(text): text for text in sorted(texts, reverse=True)}
    return sorted(representatives.values(), key=hash_text)


def balance(sentences: pd.DataFrame) -> pd.DataFrame:
    """Cuts each class to the size of the smallest, and shuffles.

    Args:
        sentences: The columns `text`, without duplicates, and `label`.

    Returns:
        The rows of each class whose texts have the lowest hashes, in the order of the hashes.
    """
    shuffled = sentences.sort_values("text", key=lambda texts: texts.map(hash_text))
    return shuffled.groupby("label").head(shuffled["label"].value_counts().min())


def split(sentences: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Splits about 80/10/10 by the hash of the text, so that a text always gets the same split.

    Args:
        sentences: A frame with the column `text`.

    Returns:
        The rows of "train", "dev" and "test", in their order in the frame.

    Example:
        >>> splits = split(pd.DataFrame({"text": list("abcdefghi")}))
        >>> {name: "".join(rows["text"]) for name, rows in splits.items()}
        {'train': 'abcdehi', 'dev': 'g', 'test': 'f'}
    """
    digit = sentences["text"].map(hash_text) % 10
    rows = {"train": digit > 1, "dev": digit == 1, "test": digit == 0}
    return {name: sentences.loc[rows[name]].reset_index(drop=True) for name in rows}


def normalize(text: str) -> str:
    """Reduces a text to its words in lower case."""
    return " ".join(re.findall(r"\w+", text.lower()))


def hash_text(text: str) -> int:
    """Hashes a text with the same result in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())  # fits a 64-bit column
