"""Windows over rows that are longer than a sequence may be.

Neighboring windows of a text share `stride` tokens, as in transformers. Of a pair the longer text
is read in windows, each next to the whole other text; a pair of two long texts is truncated.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.models.config import TaskType

if TYPE_CHECKING:  # slow to import
    from tokenizers import Encoding, Tokenizer

WordPiece = Literal["first", "last"]


class Windows(NamedTuple):
    """The windows of one sequence."""

    encodings: "list[Encoding]"
    truncated: bool


def check_stride(kind: TaskType, stride: int, room: int) -> None:
    """Refuses windows that choices would need, and those that would not get ahead.

    Example:
        >>> check_stride("tokens", 4, 4)
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: --task.stride: expected at most 3, since a window has 4 tokens \
besides the special ones, got 4; raise --task.max-length.
    """
    if kind == "choice":
        raise InputError(
            "--task.stride: expected none for choice, whose texts are compared as wholes; leave it"
            " out, or raise --task.max-length."
        )
    if stride >= room:
        raise InputError(
            f"--task.stride: expected at most {room - 1}, since a window has {room} tokens besides"
            f" the special ones, got {stride}; raise --task.max-length."
        )


def read_windows(
    rust: "Tokenizer", sequences: Sequence[Any], max_length: int, stride: int, *, words: bool
) -> Iterator[Windows]:
    """Tokenizes sequences, those that are too long in windows from the start to the end."""
    pairs = bool(sequences) and isinstance(sequences[0], tuple)
    options = {"strategy": "longest_first", "direction": "right"}
    rust.enable_truncation(max_length, stride=0 if pairs else stride, **options)
    encodings = rust.encode_batch(list(sequences), is_pretokenized=words)
    if not pairs:
        yield from (Windows([one, *one.overflowing], truncated=False) for one in encodings)
        return
    long = [n for n, one in enumerate(encodings) if _only_one_is_long(one, stride)]
    rust.enable_truncation(max_length, stride=stride, **options)
    again = dict(zip(long, rust.encode_batch([sequences[n] for n in long]), strict=True))
    for number, one in enumerate(encodings):
        if number in again:
            yield Windows([again[number], *again[number].overflowing], truncated=False)
        else:
            yield Windows([one], truncated=bool(one.overflowing))


def _only_one_is_long(truncated: "Encoding", stride: int) -> bool:
    """Whether only the longer text of a pair was truncated, and windows of it get ahead."""
    if not truncated.overflowing:
        return False
    shorter, longer = sorted(truncated.sequence_ids.count(text) for text in (0, 1))
    # Two long texts are truncated to equal lengths, or lengths that differ by one.
    return longer - shorter > 1 and 2 * stride <= longer


def word_positions(
    word_ids: Sequence[Sequence[int | None]], count: int, word_piece: WordPiece, stride: int
) -> list[np.ndarray]:
    """The positions of the words that each window labels, given the word of each of its tokens.

    A word is labeled in the window in which the piece that stands for it is farthest from the
    nearer end of the window, so that of the tokens that two windows share each labels one half.
    """
    if len(word_ids) == 1:
        return [_place(word_ids[0], count, word_piece)]
    pieces = [[word for word in window if word is not None] for window in word_ids]
    text = [*pieces[0], *(word for window in pieces[1:] for word in window[stride:])]
    place = _place(text, count, word_piece)
    step = len(pieces[0]) - stride
    begins = step * np.arange(1, len(pieces)) + (stride + 1) // 2
    # A word without a token is in the window of the word before it.
    window = np.maximum.accumulate(np.searchsorted(begins, place, side="right"))
    first = next((n for n, word in enumerate(word_ids[0]) if word is not None), 0)
    position = np.where(place < 0, -1, first + place - step * window).astype(np.int32)
    return [position[window == number] for number in range(len(pieces))]


def _place(word_ids: Sequence[int | None], count: int, word_piece: WordPiece) -> np.ndarray:
    """The position of the first or last piece of each word, or -1."""
    positions = np.full(count, -1, np.int32)
    pieces = [(position, word) for position, word in enumerate(word_ids) if word is not None]
    for position, word in pieces if word_piece == "last" else reversed(pieces):
        positions[word] = position  # overwrites those of earlier pieces
    return positions
