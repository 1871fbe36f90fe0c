"""Bodies of requests in, bodies of answers out, as Hugging Face's inference API has them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException

from maskjax.errors import near_names
from maskjax.inference import Answer, Row
from maskjax.serving.rows import read_rows
from maskjax.tasks import Task

BODY = {"inputs", "parameters", "task"}
PARAMETERS = {"top_k"}
RANKED = ("classification", "choice")
"""The kinds whose answers are labels, the best first."""


class Question(NamedTuple):
    """What a request asks for.

    Attributes:
        task: The name of the task; None for the base's features.
        kind: Of the task, or `features`.
        rows: The inputs.
        single: Whether there was one input and no list.
        top_k: How many labels to answer with; None for all.
    """

    task: str | None
    kind: str
    rows: list[Row]
    single: bool
    top_k: int | None


def read_question(body: bytes, path_task: str | None, tasks: Mapping[str, Task]) -> Question:
    """Reads the body of a request.

    Args:
        body: JSON.
        path_task: The task that the path names; None where the body has to.
        tasks: What there is, by name.

    Returns:
        What is asked for.

    Raises:
        HTTPException: 400 if the body is no JSON object, 404 if there is no such task, 422 if
            something in it cannot be used.
    """
    values = _object(body)
    _refuse_unknown("the body", values, BODY)
    if "inputs" not in values:
        raise HTTPException(422, "inputs: expected one or a list of them, got none")
    name = _task_name(values, path_task)
    if name is not None and name not in tasks:
        raise HTTPException(404, f"there is no task {name!r}; {near_names(name, list(tasks))}")
    task = None if name is None else tasks[name]
    kind = "features" if task is None else task.kind
    top_k = _top_k(values.get("parameters"), kind)
    inputs = values["inputs"]
    return Question(name, kind, read_rows(inputs, task), not isinstance(inputs, list), top_k)


def shape_answers(question: Question, answers: Sequence[Answer]) -> list[Answer] | Answer:
    """Puts answers into the shape that clients of Hugging Face's inference API read.

    Args:
        question: What was asked for.
        answers: One for each of its rows, with all labels.

    Returns:
        A list of answers. As with Hugging Face's API, it is a list also where a single input was
        given, except for words, whose answer by itself is a list of one entity a word.

    Example:
        >>> question = Question("sst2", "classification", ["fine"], True, 1)
        >>> best, other = {"label": "good", "score": 0.9}, {"label": "bad", "score": 0.1}
        >>> shape_answers(question, [[best, other]])
        [[{'label': 'good', 'score': 0.9}]]
    """
    if question.kind in RANKED:
        return [answer[: question.top_k] for answer in answers]
    if question.kind == "tokens" and question.single:
        return answers[0]
    return list(answers)


def describe_tasks(tasks: Mapping[str, Task]) -> list[dict[str, Any]]:
    """The list of tasks for people and programs.

    Args:
        tasks: What there is, by name.

    Returns:
        Name, kind, labels, metric and text columns of each, sorted by name.
    """
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
        raise HTTPException(422, "task: expected a name, or null for the base's features; got none")
    name = values["task"]
    if name is not None and not isinstance(name, str):
        raise HTTPException(422, "task: expected a name, or null for the base's features")
    return name


def _top_k(parameters: object, kind: str) -> int | None:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise HTTPException(422, "parameters: expected an object")
    _refuse_unknown("parameters", parameters, PARAMETERS)
    top_k = parameters.get("top_k")
    if top_k is None:
        return None
    if kind not in RANKED:
        raise HTTPException(422, f"parameters.top_k: a task of {kind} has no labels to rank")
    if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1:
        raise HTTPException(422, "parameters.top_k: expected a positive number, or null for all")
    return top_k


def _refuse_unknown(place: str, values: Mapping[str, Any], known: set[str]) -> None:
    for key in sorted(values.keys() - known):
        raise HTTPException(422, f"{place}: there is no {key!r}; {near_names(key, sorted(known))}")
