"""Bodies of requests in, bodies of answers out, as Hugging Face's inference API has them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from starlette.exceptions import HTTPException

from maskjax.errors import suggest
from maskjax.inference import Answer, Row
from maskjax.serving.entities import shape_words
from maskjax.serving.parameters import Parameters, read_parameters
from maskjax.serving.rows import read_rows
from maskjax.tasks import Task

BODY = {"inputs", "parameters", "task"}
VECTORS = "vectors"
"""The kind of requests for pooled vectors."""
RANKED = ("classification", "choice")
"""The kinds whose answers are labels, the best first."""


class InferenceRequest(NamedTuple):
    """What a request asks for.

    Attributes:
        task: The name of the task; None for the base's features.
        kind: The kind of the task; `features` for the base, `vectors` for pooled vectors.
        rows: The inputs.
        values: The inputs as they came.
        single: Whether there was one input and no list.
        parameters: How to answer.
    """

    task: str | None
    kind: str
    rows: list[Row]
    values: list[Any]
    single: bool
    parameters: Parameters = Parameters()


def read_question(
    body: bytes, path_task: str | None, tasks: Mapping[str, Task], *, vectors: bool = False
) -> InferenceRequest:
    """Reads the body of a request."""
    values = _object(body)
    given = values.get("parameters")
    if given is not None and not isinstance(given, dict):
        raise HTTPException(422, "parameters: expected an object")
    if vectors:
        given = {key: value for key, value in values.items() if key not in BODY} | (given or {})
    else:
        _refuse_unknown(values)
    if "inputs" not in values:
        raise HTTPException(422, "inputs: expected one or a list of them, got none")
    name = path_task if vectors and path_task is None else _task_name(values, path_task)
    if name is not None and name not in tasks:
        raise HTTPException(404, f"there is no task {name!r}; {suggest(name, list(tasks))}")
    task = None if name is None else tasks[name]
    kind = VECTORS if vectors else "features" if task is None else task.kind
    parameters = read_parameters(given or {}, kind)
    inputs = values["inputs"]
    rows = read_rows(inputs, None if vectors else task)
    single = not isinstance(inputs, list)
    return InferenceRequest(name, kind, rows, [inputs] if single else inputs, single, parameters)


def shape_answers(question: InferenceRequest, answers: Sequence[Answer]) -> list[Any]:
    """Puts answers into the shape that clients of Hugging Face's inference API read.

    Example:
        >>> one = Parameters(1)
        >>> question = InferenceRequest("sst2", "classification", ["fine"], ["fine"], True, one)
        >>> best, other = {"label": "good", "score": 0.9}, {"label": "bad", "score": 0.1}
        >>> shape_answers(question, [[best, other]])
        [[{'label': 'good', 'score': 0.9}]]
    """
    parameters = question.parameters
    if question.kind == VECTORS and parameters.normalize:
        return [_normalized(answer) for answer in answers]
    if question.kind in RANKED:
        return [answer[: parameters.top_k] for answer in answers]
    if question.kind != "tokens":
        return list(answers)
    words = [
        shape_words(
            answer,
            value,
            aggregated=parameters.aggregation_strategy != "none",
            ignored=parameters.ignore_labels,
        )
        for answer, value in zip(answers, question.values, strict=True)
    ]
    return words[0] if question.single else words


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


def _object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body: expected JSON, got something else: {error}") from error
    if not isinstance(values, dict):
        raise HTTPException(400, "the body: expected a JSON object with inputs")
    return values


def _task_name(values: Mapping[str, Any], path_task: str | None) -> str | None:
    if path_task is not None:
        if values.get("task", path_task) != path_task:
            raise HTTPException(422, f"task: the path says {path_task!r}, the body another one")
        return path_task
    if "task" not in values:
        raise HTTPException(
            422,
            "task: expected a name, or null for the base's features; got none. Pooled vectors of "
            "the base are at /pipeline/feature-extraction",
        )
    name = values["task"]
    if name is not None and not isinstance(name, str):
        raise HTTPException(422, "task: expected a name, or null for the base's features")
    return name


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    for key in sorted(values.keys() - BODY):
        raise HTTPException(422, f"the body: there is no {key!r}; {suggest(key, sorted(BODY))}")


def _normalized(answer: Answer) -> list[float]:
    """A vector of length one; zeros, which have no direction, stay."""
    vector = np.asarray(answer, np.float64)
    return (vector / max(float(np.linalg.norm(vector)), np.finfo(np.float64).tiny)).tolist()
