"""Labels of words as clients of Hugging Face read them: with places in the text, and as groups."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from maskjax.inference import Answer

_WORD = re.compile(r"\S+")


def shape_words(
    answer: Answer, value: object, *, aggregated: bool, ignored: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Adds the place of each word in its text, and puts words of one entity together.

    Example:
        >>> words = [{"entity": "B-LOC", "score": 0.5, "word": "New", "index": 0},
        ...          {"entity": "I-LOC", "score": 1.0, "word": "York", "index": 1}]
        >>> shape_words(words, "New  York", aggregated=True, ignored=None)
        [{'entity_group': 'LOC', 'score': 0.75, 'word': 'New  York', 'start': 0, 'end': 9}]
    """
    text = value if isinstance(value, str) else " ".join(_words(value))
    places = list(_places(text, value))
    words: list[Any] = [
        {**word, "start": places[word["index"]][0], "end": places[word["index"]][1]}
        for word in answer
        if isinstance(word, dict)
    ]
    if not aggregated:
        return [word for word in words if word["entity"] not in (ignored or ())]
    left_out = ("O",) if ignored is None else ignored
    groups = [_join(group, text) for group in _groups(words)]
    return [group for group in groups if group["entity_group"] not in left_out]


def _words(value: Any) -> list[str]:
    return value["words"] if isinstance(value, dict) else value


def _places(text: str, value: object) -> Iterator[tuple[int, int]]:
    """Start and end of each word; words that were given as such may hold spaces."""
    if isinstance(value, str):
        yield from (match.span() for match in _WORD.finditer(text))
        return
    start = 0
    for word in _words(value):
        yield start, start + len(word)
        start += len(word) + 1


def _groups(words: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Neighbors of one type; B- begins a new one, as in the pipeline of transformers."""
    groups = [[word] for word in words[:1]]
    for before, word in pairwise(words):
        begins, kind = _tag(word["entity"])
        if begins or kind != _tag(before["entity"])[1]:
            groups.append([])
        groups[-1].append(word)
    return groups


def _tag(label: str) -> tuple[bool, str]:
    return label.startswith("B-"), label[2:] if label[:2] in ("B-", "I-") else label


def _join(group: list[dict[str, Any]], text: str) -> dict[str, Any]:
    start, end = group[0]["start"], group[-1]["end"]
    return {
        "entity_group": _tag(group[0]["entity"])[1],
        "score": sum(word["score"] for word in group) / len(group),
        "word": text[start:end],
        "start": start,
        "end": end,
    }
