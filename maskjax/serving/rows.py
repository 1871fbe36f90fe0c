"""What one input of a request may look like, by the kind of its task.

A list is always a list of rows; so what one row is, if it is more than a text, is an object, or a
list within the list of rows.
"""

import reprlib
from collections.abc import Iterator, Sequence
from typing import Literal

from starlette.exceptions import HTTPException

from maskjax.inference import Row
from maskjax.tasks import Task
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates

Shape = Literal["text", "pair", "choice", "words"]

FORMS: dict[Shape, str] = {
    "text": "a text",
    "pair": 'a pair {"text": ..., "text_pair": ...}, or in a list [first, second]',
    "choice": '{"text": ..., "choices": [...]}, or in a list [text, choice, choice, ...]',
    "words": 'a sentence, {"words": [...]}, or in a list [word, word, ...]',
}
"""What errors say that was expected."""
PART = 16384
"""Characters that are tokenized at once: some 50 ms at most."""
SHOWN = 40
"""Characters of a wrong value that an error repeats."""


def shape_of(task: Task | None) -> Shape:
    """What a row of a task is.

    Example:
        >>> shape_of(Task(name="mrpc", text=("sentence1", "sentence2"), labels=("no", "yes")))
        'pair'
    """
    if task is None:
        return "text"
    if task.kind == "tokens":
        return "words"
    if task.kind == "choice":
        return "choice"
    return "pair" if len(task.text) == 2 else "text"


def read_rows(inputs: object, task: Task | None) -> list[Row]:
    """Reads the inputs of a request."""
    if not isinstance(inputs, list):
        return [_read_row(inputs, task, "inputs")]
    if not inputs:
        raise HTTPException(422, "inputs: expected at least one, got none")
    return [_read_row(value, task, f"inputs[{row}]") for row, value in enumerate(inputs)]


def split_rows(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Splits the rows of a request into parts that take a short time to tokenize.

    Example:
        >>> [len(part) for part in split_rows(["a" * 9000, "b", "c" * 9000, ("d", "e")])]
        [2, 2]
    """
    part: list[Row] = []
    size = 0
    for row in rows:
        length = len(row) if isinstance(row, str) else sum(map(len, row))
        if part and size + length > PART:
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def _read_row(value: object, task: Task | None, place: str) -> Row:
    shape = shape_of(task)
    texts = _texts(value, shape)
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise HTTPException(422, f"{place}: expected {FORMS[shape]}, got {_show(value)}")
    choices = len(task.labels) if task else 0
    if shape in ("pair", "choice") and len(texts) != (2 if shape == "pair" else 1 + choices):
        more = f" with {choices} choices" if shape == "choice" else ""
        raise HTTPException(
            422, f"{place}: expected {FORMS[shape]}{more}, got {len(texts)} texts in all"
        )
    if not texts or any(not text.strip() for text in texts):
        raise HTTPException(422, f"{place}: expected {FORMS[shape]}, got an empty one")
    if any(has_surrogates(text) for text in texts):
        raise HTTPException(422, f"{place}: {NOT_UNICODE}")
    return texts[0] if shape == "text" else texts


def _texts(value: object, shape: Shape) -> tuple[str, ...] | None:
    """The texts of a row, not all of them strings yet; None where the shape is another one."""
    if isinstance(value, str):
        return {"text": (value,), "words": tuple(value.split())}.get(shape)
    if isinstance(value, list) and shape != "text":
        return tuple(value)
    match shape, value:
        case "pair", {"text": first, "text_pair": second, **rest} if not rest:
            return first, second
        case "choice", {"text": first, "choices": [*choices], **rest} if not rest:
            return first, *choices
        case "words", {"words": [*words], **rest} if not rest:
            return tuple(words)
    return None


def _show(value: object) -> str:
    whole = _SHORT.repr(value)
    return whole if len(whole) <= SHOWN else f"{whole[:SHOWN]}..."


_SHORT = reprlib.Repr()  # looks at few levels and few items, whatever the value
