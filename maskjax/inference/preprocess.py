"""From what a user asks to token ids: rows are checked, and each text is tokenized once."""

import threading
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.inference.batching import Tokens
from maskjax.models import Base, TaskType
from maskjax.tasks import Split, Task, encode, load_base_tokenizer
from maskjax.tasks.encode import WordPiece
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = str | tuple[str, ...]
"""A text; a pair of texts; for choice, a first text and each text to choose from; for tokens, the
words, or a text that is split at its spaces."""
CHARACTERS = 32
"""Characters of a text that are read for each token that its sequence may have. A token of prose
takes four or five, so that nothing else is ever cut; tokenizing a megabyte takes seconds."""


class InputSpec(NamedTuple):
    """How the rows of a task are read.

    Attributes:
        name: What errors call the task.
        task: The task; None for the base itself, which takes a text or a pair.
        max_length: Tokens of a sequence.
        word_piece: For tokens, which piece of a word stands for it.
    """

    name: str
    task: Task | None
    max_length: int
    word_piece: WordPiece = "last"

    @property
    def kind(self) -> TaskType | None:
        """The task's kind."""
        return self.task and self.task.kind

    @property
    def form(self) -> tuple[TaskType | None, int]:
        """Kind and number of texts: of tasks that share it, each takes the rows of the other."""
        if self.task is None:
            return None, 1
        return self.task.kind, len(self.task.labels if self.kind == "choice" else self.task.text)


class TokenizedRow(NamedTuple):
    """A row, tokenized.

    Attributes:
        tokens: Its sequences: one, or one for each choice.
        words: For tokens, the words.
        places: For tokens, where in its sequence each word is, -1 for nowhere.
    """

    tokens: tuple[Tokens, ...]
    words: tuple[str, ...] = ()
    places: np.ndarray | None = None

    @property
    def length(self) -> int:
        """Tokens of its longest sequence."""
        return max(len(one.input_ids) for one in self.tokens)


class Reader:
    """Tokenizes rows for any task; thread-safe."""

    def __init__(self, base: Base) -> None:
        self._base = base._replace(params={})  # which are held elsewhere
        self._for_texts = load_base_tokenizer(self._base)
        self._lock = threading.Lock()  # a tokenizer holds the length that it cuts at

    @cached_property
    def _for_words(self) -> "PreTrainedTokenizerBase":
        return load_base_tokenizer(self._base, "tokens")

    def read(self, rows: Sequence[tuple[Row, InputSpec]]) -> list[TokenizedRow]:
        """Tokenizes rows."""
        checked = [(asked, _checked(row, asked, n)) for n, (row, asked) in enumerate(rows, 1)]
        ways = [_way(asked, texts) for asked, texts in checked]
        together: dict[_Way, dict[tuple[str, ...], None]] = {}
        for way, (_, texts) in zip(ways, checked, strict=True):
            together.setdefault(way, {})[texts] = None
        with self._lock:
            found = {way: self._tokenize(way, list(texts)) for way, texts in together.items()}
        return [found[way][texts] for way, (_, texts) in zip(ways, checked, strict=True)]

    def _tokenize(
        self, way: "_Way", rows: list[tuple[str, ...]]
    ) -> dict[tuple[str, ...], TokenizedRow]:
        tokenizer = self._for_words if way.kind == "tokens" else self._for_texts
        split = Split([_cut(texts, way) for texts in rows], np.zeros(0, np.int32), way.kind)
        encoded = encode(split, tokenizer, way.max_length, way.word_piece)
        both = zip(encoded.input_ids, encoded.token_type_ids, strict=True)
        tokens = [Tokens(ids, types) for ids, types in both]
        each, found = encoded.choices, {}
        for number, texts in enumerate(rows):
            own = tuple(tokens[number * each : (number + 1) * each])
            places = encoded.word_positions
            found[texts] = (
                TokenizedRow(own) if places is None else TokenizedRow(own, texts, places[number])
            )
        return found


class _Way(NamedTuple):
    """What is tokenized in one go: rows of one kind and number of texts, cut at one length."""

    kind: TaskType
    texts: int
    max_length: int
    word_piece: WordPiece


def _cut(texts: tuple[str, ...], way: _Way) -> tuple[str, ...]:
    """Texts, or words, of which a bounded number of characters is left."""
    most = CHARACTERS * way.max_length
    if sum(map(len, texts)) <= most:
        return texts
    cut = tuple(text.lstrip()[:most] for text in texts)
    if way.kind != "tokens":
        return cut
    starts = accumulate((len(word) + 1 for word in cut), initial=0)
    return tuple(word for word, start in zip(cut, starts, strict=False) if start < most)


def _way(asked: InputSpec, texts: tuple[str, ...]) -> _Way:
    if asked.kind == "tokens":
        return _Way("tokens", 0, asked.max_length, asked.word_piece)
    kind: TaskType = "choice" if asked.kind == "choice" else "classification"
    return _Way(kind, len(texts), asked.max_length, "last")


def takes(task: Task, row: Row) -> bool:
    """Whether a row is of the form that a task reads; a text with a space in it is no word.

    Example:
        >>> pairs, tags = Task(name="p", text=("a", "b")), Task(name="t", kind="tokens")
        >>> [[takes(task, row) for task in (pairs, tags)] for row in ("x y", ("x y", "z"))]
        [[False, True], [True, False]]
    """
    if task.kind == "tokens" and not isinstance(row, str) and any(" " in word for word in row):
        return False
    return _fits(row if isinstance(row, tuple) else (row,), task)


def _fits(texts: tuple[str, ...], task: Task | None) -> bool:
    if task is None:
        return len(texts) in (1, 2)
    if task.kind == "tokens":
        return len(texts) >= 1
    return len(texts) == (1 + len(task.labels) if task.kind == "choice" else len(task.text))


def _checked(row: Row, asked: InputSpec, number: int) -> tuple[str, ...]:
    name, task = asked.name, asked.task
    texts = tuple(row) if isinstance(row, tuple | list) else (row,)
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{name}: expected texts that are not empty, got {text!r}.")
        if has_surrogates(text):
            raise InputError(f"{name} row {number}: {NOT_UNICODE}.")
    if not _fits(texts, task):
        raise InputError(f"{name}: expected {_expected(task)}, got {len(texts)} texts.")
    is_sentence = task is not None and task.kind == "tokens" and isinstance(row, str)
    return tuple(texts[0].split()) if is_sentence else texts


def _expected(task: Task | None) -> str:
    if task is None:
        return "a text or a pair of texts"
    match task.kind:
        case "tokens":
            return "at least one word"
        case "choice":
            return f"a text and {len(task.labels)} texts to choose from"
        case _:
            return "a text" if len(task.text) == 1 else "a pair of texts"
