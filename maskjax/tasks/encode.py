"""Tokenization of splits.

A sequence is one input of the encoder: a row is one sequence, or one for each choice, and the
sequences of a row are adjacent.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.progress import counted
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import IGNORED, Split
from maskjax.tasks.tokenizer import rust_tokenizer
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
        truncated: The number of rows that were too long and have been truncated.
        choices: Sequences of a row.
        word_positions: For tokens, the position in its sequence of each word of a row; -1 for a
            word that has been truncated, or for which the tokenizer has no token. None for the
            other kinds.
    """

    input_ids: Ragged
    token_type_ids: Ragged
    labels: np.ndarray
    truncated: int
    choices: int = 1
    word_positions: Ragged | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.input_ids) // self.choices

    @property
    def lengths(self) -> np.ndarray:
        """The number of tokens of the longest sequence of each row; [rows] int64."""
        lengths = self.input_ids.lengths
        return lengths.reshape(self.rows, self.choices).max(axis=1, initial=0)

    @property
    def sizes(self) -> np.ndarray:
        """The number of units of each row; [rows] int64."""
        if self.word_positions is None:
            return np.ones(self.rows, np.int64)
        return self.word_positions.lengths

    @property
    def unseen_words(self) -> int:
        """The number of labeled words without a token, each of which counts as an error."""
        if self.word_positions is None:
            return 0
        return int(((self.word_positions.values < 0) & (self.labels != IGNORED)).sum())


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
        split: The rows; all have the same number of texts, except in tasks on words.
        tokenizer: A fast tokenizer; for words from `load_tokenizer(folder, "tokens")`.
        max_length: The maximum number of tokens of a sequence, special tokens included. A longer
            row is truncated at the end; a pair at the end of its longer text.
        word_piece: For tokens, which piece of a word stands for it: of a word that is truncated in
            the middle, the first or last remaining piece.

    Returns:
        The tokenized rows.

    Raises:
        InputError: If max_length leaves no room for a token of each text, or a text is not valid
            Unicode.

    Example:
        >>> from maskjax.tasks import load_tokenizer
        >>> split = Split([("a good film",)], np.zeros(1, np.int32))
        >>> encode(split, load_tokenizer(base), max_length=16).lengths.tolist()
        [5]
    """
    _check_unicode(split)
    words = split.kind == "tokens"
    sequences = _sequences(split)
    if sequences:
        _check_length(tokenizer, max_length, pair=isinstance(sequences[0], tuple))
    has_types = "token_type_ids" in tokenizer.model_input_names
    ids, types, positions, truncated = [], [], [], []
    for row, encoding in enumerate(_tokenize(tokenizer, sequences, max_length, words=words)):
        ids.append(np.array(encoding.ids, np.int32))
        types.append(np.array(encoding.type_ids, np.int32) * has_types)
        truncated.append(bool(encoding.overflowing))
        if words:
            positions.append(_word_positions(encoding.word_ids, len(split.texts[row]), word_piece))
    choices = len(sequences) // max(len(split.texts), 1) or 1
    return Encoded(
        input_ids=Ragged.from_rows(ids),
        token_type_ids=Ragged.from_rows(types),
        labels=split.labels,
        truncated=int(np.array(truncated, bool).reshape(-1, choices).any(axis=1).sum()),
        choices=choices,
        word_positions=Ragged.from_rows(positions) if words else None,
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
    """Tokenizes as a call of the tokenizer does, without its lists of all outputs."""
    rust = rust_tokenizer(tokenizer)
    rust.no_padding()
    side = tokenizer.truncation_side
    rust.enable_truncation(max_length, strategy="longest_first", direction=side)
    with counted("tokenizing", len(sequences)) as counter:
        for start in range(0, len(sequences), CHUNK):
            chunk = sequences[start : start + CHUNK]
            yield from rust.encode_batch(chunk, is_pretokenized=words)
            counter.add(len(chunk))


def _check_length(tokenizer: "PreTrainedTokenizerBase", max_length: int, *, pair: bool) -> None:
    minimum = 1 + pair + tokenizer.num_special_tokens_to_add(pair=pair)
    if max_length < minimum:
        raise InputError(
            f"--task.max_length: expected at least {minimum}, one token for each text besides the"
            f" special tokens, got {max_length}."
        )


def _word_positions(
    word_ids: Sequence[int | None], count: int, word_piece: WordPiece
) -> np.ndarray:
    positions = np.full(count, -1, np.int32)
    pieces = [(position, word) for position, word in enumerate(word_ids) if word is not None]
    for position, word in pieces if word_piece == "last" else reversed(pieces):
        positions[word] = position  # overwrites those of earlier pieces
    return positions
