"""What a request may ask for besides its inputs, named as clients of Hugging Face name it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

from starlette.exceptions import HTTPException

from maskjax.errors import suggest
from maskjax.inference import Function

AGGREGATIONS = ("none", "simple", "first", "average", "max")


class Parameters(NamedTuple):
    """The parameters of a request.

    Attributes:
        top_k: How many labels to answer with; None for all.
        function_to_apply: What makes scores of logits.
        aggregation_strategy: Whether words of one entity become one; all strategies but "none" are
            the same here, since a word has one label.
        ignore_labels: Labels whose words are left out.
        normalize: Whether vectors are divided by their lengths.
    """

    top_k: int | None = None
    function_to_apply: Function = "softmax"
    aggregation_strategy: str = "none"
    ignore_labels: tuple[str, ...] | None = None
    normalize: bool = True


def read_parameters(values: Mapping[str, Any], kind: str) -> Parameters:
    """Reads the parameters of a request; null is the default, as for clients of Hugging Face."""
    known = _KNOWN[kind]
    for name in sorted(values.keys() - known.keys()):
        if any(name in others for others in _KNOWN.values()):
            raise HTTPException(422, f"parameters.{name}: means nothing for {kind}")
        hint = suggest(name, sorted(known)) if known else f"there are none for {kind}"
        raise HTTPException(422, f"parameters: there is no {name!r}; {hint}")
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        holds, expected = known[name]
        if not holds(value):
            raise HTTPException(422, f"parameters.{name}: expected {expected}")
    found = {name: given[name] for name in Parameters._fields if name in given}
    if "ignore_labels" in found:
        found["ignore_labels"] = tuple(found["ignore_labels"])
    return Parameters(**found)


Check = tuple[Callable[[Any], bool], str]


def _one_of(*values: object) -> Check:
    """That a value is one of these and of its type, for to Python True is 1."""
    expected = " or ".join("null" if value is None else repr(value) for value in values)
    return lambda value: any(type(value) is type(one) and value == one for one in values), expected


_COUNT: Check = (
    lambda value: type(value) is int and value > 0,
    "a positive number, or null for all",
)
_NAMES: Check = (
    lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "a list of labels",
)
_BOOLEAN: Check = (lambda value: isinstance(value, bool), "true or false")
_RANKED = {"top_k": _COUNT, "function_to_apply": _one_of(*get_args(Function))}
_KNOWN: dict[str, dict[str, Check]] = {
    "classification": _RANKED,
    "choice": _RANKED,
    "regression": {"function_to_apply": _one_of("none", "sigmoid")},
    "tokens": {
        "aggregation_strategy": _one_of(*AGGREGATIONS),
        "ignore_labels": _NAMES,
        "stride": _one_of(None),
    },
    "vectors": {
        "normalize": _BOOLEAN,
        "truncate": _one_of(True),
        "truncation_direction": _one_of("right", "Right"),
        "prompt_name": _one_of(None),
        "dimensions": _one_of(None),
        "encoding_format": _one_of("float"),
    },
    "features": {},
}
"""By kind and name, what a value has to be. Of some parameters only the default is offered: texts
are always cut, at their end, and there are no prompts."""
