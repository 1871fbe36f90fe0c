"""From text to token ids.

A sequence is what goes through the encoder: a row is one sequence, or one for each choice, where
the sequences of a row stand side by side.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.tasks.task import Split

if TYPE_CHECKING:  # slow to import
    from transformers import PreTrainedTokenizerBase

WordPiece = Literal["first", "last"]


class Encoded(NamedTuple):
    """A tokenised split, not padded.

    Attributes:
        input_ids: The token ids of each sequence, special tokens included; [tokens of the
            sequence] int32.
        token_type_ids: 1 for the tokens of a second text if the model tells the two texts apart,
            else 0; [tokens of the sequence] int32.
        labels: Class ids, int32, or regression targets, float32; [units].
        truncated: How many rows were too long and have been cut.
        choices: Sequences of a row.
        places: For tokens, where in its sequence each word of a row is; -1 for a word that has
            been cut off, or of which the tokenizer keeps nothing; [words of the row] int32. For
            the other kinds None.
    """

    input_ids: list[np.ndarray]
    token_type_ids: list[np.ndarray]
    labels: np.ndarray
    truncated: int
    choices: int = 1
    places: list[np.ndarray] | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.input_ids) // self.choices

    @property
    def lengths(self) -> np.ndarray:
        """The tokens of the longest sequence of each row; [rows] int64."""
        lengths = np.array([len(ids) for ids in self.input_ids], np.int64)
        return lengths.reshape(self.rows, self.choices).max(axis=1, initial=0)

    @property
    def sizes(self) -> np.ndarray:
        """The number of units of each row; [rows] int64."""
        if self.places is None:
            return np.ones(self.rows, np.int64)
        return np.array([len(places) for places in self.places], np.int64)

    @property
    def lost(self) -> int:
        """How many words have no token: no model sees them, and each counts as predicted wrong."""
        return sum(int((places < 0).sum()) for places in self.places or [])


def encode(
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    word_piece: WordPiece = "last",
) -> Encoded:
    """Tokenises a split in one call.

    Args:
        split: The rows; all have the same number of texts, but for words.
        tokenizer: A fast tokenizer; for words from `load_tokenizer(folder, "tokens")`.
        max_length: The most tokens of a sequence, special tokens included. A longer row is cut at
            the end; a pair is cut at the end of whichever of its texts is longer.
        word_piece: For tokens, which piece of a word stands for it. Of a word that is cut in the
            middle it is the first or last that is left.

    Returns:
        The tokenised rows.

    Raises:
        InputError: If max_length leaves no room for a token of each text.
    """
    words = split.kind == "tokens"
    if not split.texts:
        return Encoded([], [], split.labels, truncated=0, places=[] if words else None)
    first, second = _sequences(split)
    _check_length(tokenizer, max_length, pair=second is not None)
    batch = tokenizer(
        first,
        second,
        truncation="longest_first",
        max_length=max_length,
        is_split_into_words=words,
    )
    found = batch.encodings or []
    has_types = "token_type_ids" in tokenizer.model_input_names
    types = (one.type_ids if has_types else [0] * len(one.ids) for one in found)
    cut = np.array([bool(one.overflowing) for one in found]).reshape(len(split.texts), -1)
    return Encoded(
        input_ids=[np.array(one.ids, np.int32) for one in found],
        token_type_ids=[np.array(one, np.int32) for one in types],
        labels=split.labels,
        truncated=int(cut.any(axis=1).sum()),
        choices=cut.shape[1],
        places=_all_places(split, found, word_piece) if words else None,
    )


def _sequences(split: Split) -> tuple[list[Any], list[str] | None]:
    """The first texts, and the second ones where there are such, of all sequences."""
    if split.kind == "tokens":
        return [list(words) for words in split.texts], None
    if split.kind == "choice":
        pairs = [(first, ending) for first, *endings in split.texts for ending in endings]
        return [first for first, _ in pairs], [ending for _, ending in pairs]
    columns = [list(column) for column in zip(*split.texts, strict=True)]
    return columns[0], columns[1] if len(columns) == 2 else None


def _check_length(tokenizer: "PreTrainedTokenizerBase", max_length: int, *, pair: bool) -> None:
    least = 1 + pair + tokenizer.num_special_tokens_to_add(pair=pair)
    if max_length < least:
        raise InputError(
            f"--task.max_length: expected at least {least}, one token for each text besides the"
            f" special tokens, got {max_length}."
        )


def _all_places(split: Split, found: Sequence[Any], word_piece: WordPiece) -> list[np.ndarray]:
    pairs = zip(found, split.texts, strict=True)
    return [_places(one.word_ids, len(words), word_piece) for one, words in pairs]


def _places(word_ids: Sequence[int | None], words: int, word_piece: WordPiece) -> np.ndarray:
    places = np.full(words, -1, np.int32)
    pieces = [(place, word) for place, word in enumerate(word_ids) if word is not None]
    for place, word in pieces if word_piece == "last" else reversed(pieces):
        places[word] = place  # the last one to be written stays
    return places
