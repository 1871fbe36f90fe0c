"""From text to token ids.

A sequence is what goes through the encoder: a row is one sequence, or one for each choice, where
the sequences of a row stand side by side.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.progress import counted
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import IGNORED, Split
from maskjax.tasks.tokenizer import in_rust
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates

if TYPE_CHECKING:  # slow to import
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

WordPiece = Literal["first", "last"]

CHUNK = 4096
"""Sequences that are tokenized at once: enough for all threads, few enough for memory."""


class Encoded(NamedTuple):
    """A tokenized split, not padded.

    Attributes:
        input_ids: The token ids of each sequence, special tokens included.
        token_type_ids: 1 for the tokens of a second text if the model distinguishes the two texts,
            else 0.
        labels: Class ids, int32, or regression targets, float32; [units].
        truncated: How many rows were too long and have been cut.
        choices: Sequences of a row.
        places: For tokens, where in its sequence each word of a row is; -1 for a word that has
            been cut off, or of which the tokenizer keeps nothing. For the other kinds None.
    """

    input_ids: Ragged
    token_type_ids: Ragged
    labels: np.ndarray
    truncated: int
    choices: int = 1
    places: Ragged | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.input_ids) // self.choices

    @property
    def lengths(self) -> np.ndarray:
        """The tokens of the longest sequence of each row; [rows] int64."""
        lengths = self.input_ids.lengths
        return lengths.reshape(self.rows, self.choices).max(axis=1, initial=0)

    @property
    def sizes(self) -> np.ndarray:
        """The number of units of each row; [rows] int64."""
        if self.places is None:
            return np.ones(self.rows, np.int64)
        return self.places.lengths

    @property
    def lost(self) -> int:
        """How many labeled words have no token: no model sees them, and each counts as wrong."""
        if self.places is None:
            return 0
        return int(((self.places.values < 0) & (self.labels != IGNORED)).sum())


def encode(
    split: Split,
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    word_piece: WordPiece = "last",
) -> Encoded:
    """Tokenizes a split, on as many threads as the processor has cores.

    The threads are those of the tokenizers library; TOKENIZERS_PARALLELISM=false turns them off.
    No process is forked, neither here nor later.

    Args:
        split: The rows; all have the same number of texts, but for words.
        tokenizer: A fast tokenizer; for words from `load_tokenizer(folder, "tokens")`.
        max_length: The most tokens of a sequence, special tokens included. A longer row is cut at
            the end; a pair is cut at the end of whichever of its texts is longer.
        word_piece: For tokens, which piece of a word stands for it. Of a word that is cut in the
            middle it is the first or last that is left.

    Returns:
        The tokenized rows.

    Raises:
        InputError: If max_length leaves no room for a token of each text, or a text is no Unicode.
    """
    _check_unicode(split)
    words = split.kind == "tokens"
    sequences = _sequences(split)
    if sequences:
        _check_length(tokenizer, max_length, pair=isinstance(sequences[0], tuple))
    has_types = "token_type_ids" in tokenizer.model_input_names
    ids, types, places, cut = [], [], [], []
    for row, one in enumerate(_tokenize(tokenizer, sequences, max_length, words=words)):
        ids.append(np.array(one.ids, np.int32))
        types.append(np.array(one.type_ids, np.int32) * has_types)
        cut.append(bool(one.overflowing))
        if words:
            places.append(_places(one.word_ids, len(split.texts[row]), word_piece))
    choices = len(sequences) // max(len(split.texts), 1) or 1
    return Encoded(
        input_ids=Ragged.of(ids),
        token_type_ids=Ragged.of(types),
        labels=split.labels,
        truncated=int(np.array(cut, bool).reshape(-1, choices).any(axis=1).sum()),
        choices=choices,
        places=Ragged.of(places) if words else None,
    )


def _check_unicode(split: Split) -> None:
    for row, texts in enumerate(split.texts, 1):
        for text in filter(has_surrogates, texts):
            raise InputError(f"row {row}: {NOT_UNICODE} in {text[:40]!r}.")


def _sequences(split: Split) -> list[Any]:
    """All sequences: a text, a tuple of two texts, or a list of words."""
    if split.kind == "tokens":
        return [list(words) for words in split.texts]
    if split.kind == "choice":
        return [(first, ending) for first, *endings in split.texts for ending in endings]
    return [row if len(row) == 2 else row[0] for row in split.texts]


def _tokenize(
    tokenizer: "PreTrainedTokenizerBase", sequences: Sequence[Any], max_length: int, *, words: bool
) -> "Iterator[Encoding]":
    """What calling the tokenizer does, without the lists of everything that it would make."""
    rust = in_rust(tokenizer)
    rust.no_padding()
    side = tokenizer.truncation_side
    rust.enable_truncation(max_length, strategy="longest_first", direction=side)
    with counted("tokenizing", len(sequences)) as counter:
        for start in range(0, len(sequences), CHUNK):
            chunk = sequences[start : start + CHUNK]
            yield from rust.encode_batch(chunk, is_pretokenized=words)
            counter.add(len(chunk))


def _check_length(tokenizer: "PreTrainedTokenizerBase", max_length: int, *, pair: bool) -> None:
    least = 1 + pair + tokenizer.num_special_tokens_to_add(pair=pair)
    if max_length < least:
        raise InputError(
            f"--task.max_length: expected at least {least}, one token for each text besides the"
            f" special tokens, got {max_length}."
        )


def _places(word_ids: Sequence[int | None], words: int, word_piece: WordPiece) -> np.ndarray:
    places = np.full(words, -1, np.int32)
    pieces = [(place, word) for place, word in enumerate(word_ids) if word is not None]
    for place, word in pieces if word_piece == "last" else reversed(pieces):
        places[word] = place  # the last one to be written stays
    return places
