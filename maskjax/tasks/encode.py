"""Tokenization of splits."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from maskjax.errors import InputError
from maskjax.progress import counted
from maskjax.tasks.encoded import Encoded
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.task import Split
from maskjax.tasks.tokenizer_class import Tokenizer
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates
from maskjax.tasks.windows import (
    Windows,
    WordPiece,
    check_stride,
    read_windows,
    word_positions,
)

CHUNK = 4096
"""Sequences that are tokenized at once: enough for all threads, few enough for memory."""


def encode(
    split: Split,
    tokenizer: Tokenizer,
    max_length: int,
    word_piece: WordPiece = "last",
    stride: int | None = None,
) -> Encoded:
    """Tokenizes a split, on as many threads as the processor has cores.

    The threads are those of the tokenizers library; TOKENIZERS_PARALLELISM=false turns them off.
    No process is forked, neither here nor later.

    Args:
        split: The rows; all have the same number of texts, except in tasks on words.
        tokenizer: The tokenizer; for words from `load_tokenizer(folder, "tokens")`.
        max_length: The maximum number of tokens of a sequence, special tokens included. A longer
            row is truncated at the end, a pair at the end of its longer text, unless there is a
            stride.
        word_piece: For tokens, which piece of a word stands for it: of a word that is truncated in
            the middle, the first or last remaining piece.
        stride: The number of tokens that neighboring windows of a longer row share; None truncates.
            Of a pair the longer text is read in windows; a pair of two long texts is truncated.

    Returns:
        The tokenized rows.

    Raises:
        InputError: If max_length leaves no room for a token of each text or a window no step
            forward, if there is a stride for choices, or if a text is not valid Unicode.

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
        pair = isinstance(sequences[0], tuple)
        _check_length(tokenizer, max_length, pair=pair)
        if stride is not None:
            special = tokenizer.num_special_tokens_to_add(pair=pair)
            check_stride(split.kind, 0 if pair else stride, max_length - special)
    has_types = "token_type_ids" in tokenizer.model_input_names
    ids, types, positions, counts, truncated = [], [], [], [], []
    tokenized = _tokenize(tokenizer, sequences, max_length, stride, words=words)
    for row, windows in enumerate(tokenized):
        for encoding in windows.encodings:
            ids.append(np.array(encoding.ids, np.int32))
            types.append(np.array(encoding.type_ids, np.int32) * has_types)
        counts.append(len(windows.encodings))
        truncated.append(windows.truncated)
        if words:
            word_ids = [encoding.word_ids for encoding in windows.encodings]
            count = len(split.texts[row])
            positions += word_positions(word_ids, count, word_piece, stride or 0)
    choices = len(sequences) // max(len(split.texts), 1) or 1
    of_rows = np.array(truncated, bool).reshape(-1, choices).any(axis=1)
    return Encoded(
        input_ids=Ragged.from_rows(ids),
        token_type_ids=Ragged.from_rows(types),
        labels=split.labels,
        truncated_rows=np.flatnonzero(of_rows),
        choices=choices,
        word_positions=Ragged.from_rows(positions) if words else None,
        window_counts=None if stride is None else np.array(counts, np.int64),
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
    tokenizer: Tokenizer,
    sequences: Sequence[Any],
    max_length: int,
    stride: int | None,
    *,
    words: bool,
) -> Iterator[Windows]:
    """Tokenizes as a call of the tokenizer does, without its lists of all outputs."""
    rust = tokenizer.backend_tokenizer
    rust.no_padding()
    side = tokenizer.truncation_side
    with counted("tokenizing", len(sequences)) as counter:
        for start in range(0, len(sequences), CHUNK):
            chunk = sequences[start : start + CHUNK]
            if stride is None:
                rust.enable_truncation(max_length, strategy="longest_first", direction=side)
                encodings = rust.encode_batch(chunk, is_pretokenized=words)
                yield from (Windows([one], bool(one.overflowing)) for one in encodings)
            else:
                yield from read_windows(rust, chunk, max_length, stride, words=words)
            counter.add(len(chunk))


def _check_length(tokenizer: Tokenizer, max_length: int, *, pair: bool) -> None:
    minimum = 1 + pair + tokenizer.num_special_tokens_to_add(pair=pair)
    if max_length < minimum:
        raise InputError(
            f"--task.max_length: expected at least {minimum}, one token for each text besides the"
            f" special tokens, got {max_length}."
        )
