"""What a reply looks like: JSON in the shape that clients of Hugging Face's inference API read."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from starlette.responses import JSONResponse

from maskjax.inference import Answer
from maskjax.serving.schemas import VECTORS, InferenceRequest
from maskjax.tasks import Task

RANKED = ("classification", "choice")
"""The kinds whose answers are labels, the best first."""
_WORD = re.compile(r"\S+")


class Json(JSONResponse):
    """JSON in ASCII: a name or label may hold half of a surrogate pair, which has no UTF-8."""

    def render(self, content: Any) -> bytes:
        """The bytes of a value."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def refusal(message: str, status: int, headers: Mapping[str, str] | None = None) -> Json:
    """Makes the response to a request that is refused.

    Example:
        >>> refusal("there is no task 'x'", 404).body
        b'{"error":"there is no task \\'x\\'"}'
    """
    return Json({"error": message}, status, headers)


def describe_tasks(tasks: Mapping[str, Task]) -> list[dict[str, Any]]:
    """The list of tasks for people and programs."""
    return [
        {
            "name": name,
            "kind": task.kind,
            "labels": list(task.labels),
            "metric": task.metric,
            "text": list(task.text),
        }
        for name, task in sorted(tasks.items())
    ]


def shape_answers(request: InferenceRequest, answers: Sequence[Answer]) -> list[Any]:
    """Makes the reply to a request.

    Example:
        >>> from maskjax.serving.schemas import Parameters
        >>> best = Parameters(top_k=1)
        >>> request = InferenceRequest("sst2", "classification", ["fine"], ["fine"], True, best)
        >>> good, bad = {"label": "good", "score": 0.9}, {"label": "bad", "score": 0.1}
        >>> shape_answers(request, [[good, bad]])
        [[{'label': 'good', 'score': 0.9}]]
    """
    parameters = request.parameters
    if request.kind == VECTORS and parameters.normalize:
        return [_normalized(answer) for answer in answers]
    if request.kind in RANKED:
        return [answer[: parameters.top_k] for answer in answers]
    if request.kind != "tokens":
        return list(answers)
    aggregated, ignored = parameters.aggregation_strategy != "none", parameters.ignore_labels
    words = [
        shape_words(answer, value, aggregated=aggregated, ignored=ignored)
        for answer, value in zip(answers, request.values, strict=True)
    ]
    return words[0] if request.single else words


def _normalized(answer: Answer) -> list[float]:
    """A vector of length one; zeros, which have no direction, stay."""
    vector = np.asarray(answer, np.float64)
    return (vector / max(float(np.linalg.norm(vector)), np.finfo(np.float64).tiny)).tolist()


def shape_words(
    answer: Answer, value: Any, *, aggregated: bool, ignored: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Adds the place of each word in its text, and joins the words of an entity.

    Example:
        >>> words = [{"entity": "B-LOC", "score": 0.5, "word": "New", "index": 0},
        ...          {"entity": "I-LOC", "score": 1.0, "word": "York", "index": 1}]
        >>> shape_words(words, "New  York", aggregated=True, ignored=None)
        [{'entity_group': 'LOC', 'score': 0.75, 'word': 'New  York', 'start': 0, 'end': 9}]
    """
    if isinstance(value, str):
        text, places = value, [match.span() for match in _WORD.finditer(value)]
    else:
        given = value["words"] if isinstance(value, dict) else value
        text, places = " ".join(given), list(_places(given))
    words: list[Any] = [
        {**word, "start": places[word["index"]][0], "end": places[word["index"]][1]}
        for word in answer
        if isinstance(word, dict) and "index" in word
    ]
    if not aggregated:
        return [word for word in words if word["entity"] not in (ignored or ())]
    left_out = ("O",) if ignored is None else ignored
    entities = [_join(group, text) for group in _group(words)]
    return [entity for entity in entities if entity["entity_group"] not in left_out]


def _places(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start and end of each word in the text of all; a word may hold spaces."""
    start = 0
    for word in words:
        yield start, start + len(word)
        start += len(word) + 1


def _group(words: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Neighbors of one type; B- begins a new group, as in the pipeline of transformers."""
    groups = [[word] for word in words[:1]]
    for before, word in pairwise(words):
        begins, entity = _tag(word["entity"])
        if begins or entity != _tag(before["entity"])[1]:
            groups.append([])
        groups[-1].append(word)
    return groups


def _tag(label: str) -> tuple[bool, str]:
    return label.startswith("B-"), label[2:] if label[:2] in ("B-", "I-") else label


def _join(words: list[dict[str, Any]], text: str) -> dict[str, Any]:
    start, end = words[0]["start"], words[-1]["end"]
    entity = {
        "entity_group": _tag(words[0]["entity"])[1],
        "score": sum(word["score"] for word in words) / len(words),
        "word": text[start:end],
        "start": start,
        "end": end,
    }
    return {**entity, "truncated": True} if words[0].get("truncated") else entity
