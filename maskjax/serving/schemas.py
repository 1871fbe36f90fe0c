"""What a request looks like, named as clients of Hugging Face name it; all checks are here.

A list is always a list of rows. So one row, if it is more than a text, is an object, or a list
within the list of rows.
"""

import json
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from starlette.exceptions import HTTPException

from maskjax.errors import suggest
from maskjax.inference import Function, InputRow
from maskjax.tasks import Task
from maskjax.tasks.unicode import NOT_UNICODE, has_surrogates

BODY = {"inputs", "parameters", "task"}
VECTORS = "vectors"
"""The kind of requests for pooled vectors."""
AGGREGATIONS = ("none", "simple", "first", "average", "max")
SHOWN = 40
"""Characters of a wrong value that an error repeats."""

Shape = Literal["text", "pair", "choice", "words"]
FORMS: dict[Shape, str] = {
    "text": "a text",
    "pair": 'a pair {"text": ..., "text_pair": ...}, or in a list [first, second]',
    "choice": '{"text": ..., "choices": [...]}, or in a list [text, choice, choice, ...]',
    "words": 'a sentence, {"words": [...]}, or in a list [word, word, ...]',
}
"""The row that an error expected, by its shape."""


class Parameters(NamedTuple):
    """The parameters of a request."""

    top_k: int | None = None  # labels of an answer; None for all
    function_to_apply: Function = "softmax"
    # Whether words of one entity become one. All strategies but "none" are the same here, since a
    # word has one label.
    aggregation_strategy: str = "none"
    ignore_labels: tuple[str, ...] | None = None  # labels whose words are left out
    normalize: bool = True  # whether vectors are divided by their lengths


class InferenceRequest(NamedTuple):
    """A valid request."""

    task: str | None  # None for the base's features
    kind: str  # of the task; `features` for the base, `vectors` for pooled vectors
    rows: list[InputRow]
    values: list[Any]  # the inputs in JSON
    single: bool  # whether there was one input and no list
    parameters: Parameters = Parameters()


def read_request(
    body: bytes, path_task: str | None, tasks: Mapping[str, Task], *, vectors: bool = False
) -> InferenceRequest:
    """Reads the body of a request."""
    values = _read_object(body)
    parameters = values.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise _invalid("parameters: expected an object")
    unknown = {key: value for key, value in values.items() if key not in BODY}
    if vectors:  # whose parameters may also stand next to the inputs
        parameters = unknown | (parameters or {})
    elif unknown:
        key = min(unknown)
        raise _invalid(f"the body: there is no {key!r}; {suggest(key, sorted(BODY))}")
    if "inputs" not in values:
        raise _invalid("inputs: expected one or a list of them, got none")
    name = path_task if vectors and path_task is None else _task_name(values, path_task)
    if name is not None and name not in tasks:
        raise HTTPException(404, f"there is no task {name!r}; {suggest(name, list(tasks))}")
    task = None if name is None else tasks[name]
    kind = VECTORS if vectors else "features" if task is None else task.kind
    checked, inputs = read_parameters(parameters or {}, kind), values["inputs"]
    single = not isinstance(inputs, list)
    rows = _read_rows(inputs, None if vectors else task)
    return InferenceRequest(name, kind, rows, [inputs] if single else inputs, single, checked)


def read_parameters(values: Mapping[str, Any], kind: str) -> Parameters:
    """Reads the parameters of a request; null is the default, as for clients of Hugging Face."""
    known = _PARAMETERS[kind]
    for name in sorted(values.keys() - known.keys()):
        if any(name in others for others in _PARAMETERS.values()):
            raise _invalid(f"parameters.{name}: means nothing for {kind}")
        hint = suggest(name, sorted(known)) if known else f"there are none for {kind}"
        raise _invalid(f"parameters: there is no {name!r}; {hint}")
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        is_valid, expected = known[name]
        if not is_valid(value):
            raise _invalid(f"parameters.{name}: expected {expected}")
    fields = {name: given[name] for name in Parameters._fields if name in given}
    if "ignore_labels" in fields:
        fields["ignore_labels"] = tuple(fields["ignore_labels"])
    return Parameters(**fields)


def shape_of(task: Task | None) -> Shape:
    """The shape of a task's rows.

    Example:
        >>> shape_of(Task(name="mrpc", text=("sentence1", "sentence2"), labels=("no", "yes")))
        'pair'
    """
    match task and task.kind:
        case "tokens":
            return "words"
        case "choice":
            return "choice"
    return "pair" if task and len(task.text) == 2 else "text"


def _invalid(message: str) -> HTTPException:
    return HTTPException(422, message)


def _read_object(body: bytes) -> dict[str, Any]:
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
            raise _invalid(f"task: the path says {path_task!r}, the body another one")
        return path_task
    if "task" not in values:
        raise _invalid(
            "task: expected a name, or null for the base's features; got none. Pooled vectors of "
            "the base are at /pipeline/feature-extraction"
        )
    name = values["task"]
    if name is not None and not isinstance(name, str):
        raise _invalid("task: expected a name, or null for the base's features")
    return name


def _read_rows(inputs: object, task: Task | None) -> list[InputRow]:
    if not isinstance(inputs, list):
        return [_read_row(inputs, task, "inputs")]
    if not inputs:
        raise _invalid("inputs: expected at least one, got none")
    return [_read_row(value, task, f"inputs[{row}]") for row, value in enumerate(inputs)]


def _read_row(value: object, task: Task | None, place: str) -> InputRow:
    shape = shape_of(task)
    texts, expected = _texts(value, shape), f"{place}: expected {FORMS[shape]}"
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise _invalid(f"{expected}, got {_show(value)}")
    choices = len(task.labels) if task else 0
    if shape in ("pair", "choice") and len(texts) != (2 if shape == "pair" else 1 + choices):
        more = f" with {choices} choices" if shape == "choice" else ""
        raise _invalid(f"{expected}{more}, got {len(texts)} texts in all")
    if not texts or any(not text.strip() for text in texts):
        raise _invalid(f"{expected}, got an empty one")
    if any(has_surrogates(text) for text in texts):
        raise _invalid(f"{place}: {NOT_UNICODE}")
    return texts[0] if shape == "text" else texts


def _texts(value: object, shape: Shape) -> tuple[str, ...] | None:
    """The texts of a row, not yet checked to be strings; None where it has another shape."""
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

Check = tuple[Callable[[Any], bool], str]
"""Whether a value is valid, and the valid values as errors name them."""


def _one_of(*options: object) -> Check:
    """That a value is an option and of its type, since True == 1 in Python."""
    expected = " or ".join("null" if option is None else repr(option) for option in options)
    return lambda value: any(type(value) is type(o) and value == o for o in options), expected


_COUNT: Check = (
    lambda value: type(value) is int and value > 0,
    "a positive number, or null for all",
)
_LABELS: Check = (
    lambda value: isinstance(value, list) and all(isinstance(label, str) for label in value),
    "a list of labels",
)
_RANKED = {"top_k": _COUNT, "function_to_apply": _one_of(*get_args(Function))}
_PARAMETERS: dict[str, dict[str, Check]] = {
    "classification": _RANKED,
    "choice": _RANKED,
    "regression": {"function_to_apply": _one_of("none", "sigmoid")},
    "tokens": {
        "aggregation_strategy": _one_of(*AGGREGATIONS),
        "ignore_labels": _LABELS,
        "stride": _one_of(None),
    },
    VECTORS: {
        "normalize": (lambda value: isinstance(value, bool), "true or false"),
        "truncate": _one_of(True),
        "truncation_direction": _one_of("right", "Right"),
        "prompt_name": _one_of(None),
        "dimensions": _one_of(None),
        "encoding_format": _one_of("float"),
    },
    "features": {},
}
"""The parameters of each kind. Of some only the default is supported: texts are always cut, at
their end, and there are no prompts."""
