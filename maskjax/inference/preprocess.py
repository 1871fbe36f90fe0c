"""From what a user asks to token ids: rows are checked, and each text is tokenized once."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, islice
from typing import Literal, NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.inference.batching import Tokens, bucket_length
from maskjax.models import Base, TaskType
from maskjax.tasks import Split, Task, Tokenizer, encode, load_base_tokenizer
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates
from maskjax.tasks.windows import WordPiece

InputRow = str | tuple[str, ...]
"""A text; a pair of texts; for choice, a first text and each text to choose from; for tokens, the
words, or a text that is split at its spaces."""
Function = Literal["softmax", "sigmoid", "none"]
"""What makes scores of logits: probabilities that sum to one, a probability for each label by
itself, or nothing."""
CHARACTERS = 32
"""Characters of a text that are read for each token that its sequence may have, where there are no
windows. A token of prose takes four or five, so nothing else is ever cut; tokenizing a megabyte
takes seconds."""


class InputForm(NamedTuple):
    """The form of a task's rows: tasks with equal forms read each other's rows."""

    kind: TaskType | None  # None for the base
    texts: int  # texts of a row; the base reads up to this many, and tokens at least one word

    @classmethod
    def of(cls, task: Task | None) -> "InputForm":
        """The form of a task; None for the base, which reads a text or a pair."""
        if task is None:
            return cls(None, 2)
        return cls(task.kind, 1 + len(task.labels) if task.kind == "choice" else len(task.text))

    def fits(self, texts: tuple[str, ...]) -> bool:
        """Whether texts are a row of this form."""
        if self.kind == "tokens":
            return len(texts) >= 1
        return len(texts) == self.texts or (self.kind is None and len(texts) == 1)

    def __str__(self) -> str:
        match self.kind:
            case None:
                return "a text or a pair of texts"
            case "tokens":
                return "at least one word"
            case "choice":
                return f"a text and {self.texts - 1} texts to choose from"
            case _:
                return "a text" if self.texts == 1 else "a pair of texts"


class InputSpec(NamedTuple):
    """How the rows of a task are read."""

    name: str  # what errors call the task
    form: InputForm
    max_length: int  # tokens of a sequence
    word_piece: WordPiece = "last"  # for tokens, which piece of a word stands for it
    stride: int | None = None  # tokens that neighboring windows share; None truncates


class TokenizedRow(NamedTuple):
    """A row of one sequence, of one for each choice, or of one for each window."""

    sequences: tuple[Tokens, ...]
    words: tuple[str, ...] = ()  # for tokens
    # For tokens, where in each window the words are that it labels, or -1; all words in order.
    places: tuple[np.ndarray, ...] | None = None
    truncated: bool = False

    @property
    def length(self) -> int:
        """Tokens of its longest sequence."""
        return max(len(sequence.input_ids) for sequence in self.sequences)


class PreparedRow(NamedTuple):
    """A row that is ready to be run, from `Predictor.prepare`.

    Attributes:
        task: The name of its task; None for the base itself.
        spec: How the task read it.
        tokenized: Its tokens.
        padded_length: Tokens that its longest sequence is padded to.
        vector: Whether it is answered with a vector instead of labels.
        function: What makes scores of logits.
    """

    task: str | None
    spec: InputSpec
    tokenized: TokenizedRow
    padded_length: int
    vector: bool = False
    function: Function = "softmax"

    @property
    def truncated(self) -> bool:
        """Whether the row is longer than what its task reads."""
        return self.tokenized.truncated

    def without_tokens(self) -> "PreparedRow":
        """The row for what is said of it after its tokens have been used."""
        return self._replace(tokenized=TokenizedRow((), truncated=self.truncated))

    @property
    def padded_tokens(self) -> int:
        """Tokens of all its sequences, padding included."""
        return len(self.tokenized.sequences) * self.padded_length


class Reader:
    """Tokenizes rows for any task; thread-safe."""

    def __init__(self, base: Base, buckets: Sequence[int], *, cut_texts: bool = True) -> None:
        self._cut_texts = cut_texts
        self._base = base._replace(params={})  # the executor holds them
        self._buckets = buckets
        self._for_texts = load_base_tokenizer(self._base)
        self._lock = threading.Lock()  # a tokenizer holds the length that it cuts at

    @cached_property
    def _for_words(self) -> Tokenizer:
        return load_base_tokenizer(self._base, "tokens")

    def prepare(
        self,
        rows: Sequence[tuple[InputRow, str | None, InputSpec]],
        *,
        vector: bool = False,
        function: Function = "softmax",
    ) -> list[PreparedRow]:
        """Tokenizes rows for tasks by name, whose specs are given."""
        if vector:  # every task's vectors are those of a text or a pair
            rows = [(row, name, spec._replace(form=InputForm.of(None))) for row, name, spec in rows]
        tokenized = self._tokenize_all([(row, spec) for row, _, spec in rows])
        return [
            PreparedRow(name, spec, row, bucket_length(row.length, self._buckets), vector, function)
            for (_, name, spec), row in zip(rows, tokenized, strict=True)
        ]

    def _tokenize_all(self, rows: Sequence[tuple[InputRow, InputSpec]]) -> list[TokenizedRow]:
        """Tokenizes rows; equal rows that are cut alike are tokenized once."""
        texts = [_checked(row, spec, number) for number, (row, spec) in enumerate(rows, 1)]
        keys = [(_Call.of(spec, row), row) for row, (_, spec) in zip(texts, rows, strict=True)]
        calls: dict[_Call, list[tuple[str, ...]]] = defaultdict(list)
        for call, row in dict.fromkeys(keys):
            calls[call].append(row)
        tokenized = {}
        with self._lock:
            for call, call_rows in calls.items():
                pairs = zip(call_rows, self._tokenize(call, call_rows), strict=True)
                tokenized |= {(call, row): tokens for row, tokens in pairs}
        return [tokenized[key] for key in keys]

    def _tokenize(self, call: "_Call", rows: list[tuple[str, ...]]) -> list[TokenizedRow]:
        tokenizer = self._for_words if call.kind == "tokens" else self._for_texts
        cut = [_cut(row, call) for row in rows] if self._cut_texts else rows
        split = Split(cut, np.zeros(0, np.int32), call.kind)
        encoded = encode(split, tokenizer, call.max_length, call.word_piece, call.stride)
        arrays = zip(encoded.input_ids, encoded.token_type_ids, strict=True)
        sequences = iter([Tokens(*pair) for pair in arrays])
        positions = iter(encoded.word_positions or ())
        truncated = {*encoded.truncated_rows.tolist()}
        counts = [1] * len(rows) if encoded.window_counts is None else encoded.window_counts
        tokenized = []
        for number, (texts, count) in enumerate(zip(rows, counts, strict=True)):
            windows = tuple(islice(sequences, int(count) * encoded.choices))
            lost = number in truncated or _is_shorter(cut[number], texts)
            row = TokenizedRow(windows, truncated=lost)
            if encoded.word_positions is not None:
                row = row._replace(words=texts, places=tuple(islice(positions, int(count))))
            tokenized.append(row)
        return tokenized


class _Call(NamedTuple):
    """Rows that are tokenized in one call: of one kind and number of texts, and cut alike."""

    kind: TaskType
    texts: int
    max_length: int
    word_piece: WordPiece
    stride: int | None

    @classmethod
    def of(cls, spec: InputSpec, texts: tuple[str, ...]) -> "_Call":
        """The call that tokenizes a row."""
        if spec.form.kind == "tokens":
            return cls("tokens", 0, spec.max_length, spec.word_piece, spec.stride)
        kind: TaskType = "choice" if spec.form.kind == "choice" else "classification"
        return cls(kind, len(texts), spec.max_length, "last", spec.stride)


def _cut(texts: tuple[str, ...], call: _Call) -> tuple[str, ...]:
    """Texts, or words, with a bounded number of characters; all of what is read in windows."""
    limit = CHARACTERS * call.max_length
    if call.stride is not None or sum(map(len, texts)) <= limit:
        return texts
    cut = tuple(text.lstrip()[:limit] for text in texts)
    if call.kind != "tokens":
        return cut
    starts = accumulate((len(word) + 1 for word in cut), initial=0)
    return tuple(word for word, start in zip(cut, starts, strict=False) if start < limit)


def _is_shorter(cut: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    """Whether more than blanks at the ends is gone."""
    return cut is not texts and [*map(str.strip, cut)] != [*map(str.strip, texts)]


def fits(task: Task, row: InputRow) -> bool:
    """Whether a row is of the form that a task reads; a text with a space in it is no word.

    Example:
        >>> pairs, tags = Task(name="p", text=("a", "b")), Task(name="t", kind="tokens")
        >>> [[fits(task, row) for task in (pairs, tags)] for row in ("x y", ("x y", "z"))]
        [[False, True], [True, False]]
    """
    if task.kind == "tokens" and not isinstance(row, str) and any(" " in word for word in row):
        return False
    return InputForm.of(task).fits(row if isinstance(row, tuple) else (row,))


def _checked(row: InputRow, spec: InputSpec, number: int) -> tuple[str, ...]:
    texts = tuple(row) if isinstance(row, tuple | list) else (row,)
    words = spec.form.kind == "tokens" and not isinstance(row, str)
    for text in texts:
        # A word may be a space that does not break, as in some treebanks.
        if not isinstance(text, str) or not (text if words else text.strip()):
            raise InputError(f"{spec.name}: expected texts that are not empty, got {text!r}.")
        if has_surrogates(text):
            raise InputError(f"{spec.name} row {number}: {NOT_UNICODE}.")
    if not spec.form.fits(texts):
        raise InputError(f"{spec.name}: expected {spec.form}, got {len(texts)} texts.")
    return tuple(texts[0].split()) if spec.form.kind == "tokens" and not words else texts
