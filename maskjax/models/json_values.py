"""Values of a `config.json` that take more than a look at one number, such as rotations."""

from collections.abc import Mapping
from typing import Any

from maskjax.errors import InputError
from maskjax.models.config import EncoderConfig

GLOBAL, LOCAL = "full_attention", "sliding_attention"
"""Types of blocks: those that attend to all tokens, and to those within a window."""


def read_positive(values: Mapping[str, Any], key: str, default: Any) -> Any:
    """A number above 0, of the type of the default."""
    value = default if values.get(key) is None else values[key]
    if isinstance(value, bool) or not isinstance(value, (int, type(default))) or not value > 0:
        raise InputError(f"{key} is {value!r}; expected a number above 0")
    return value


def read_choice(
    values: Mapping[str, Any], key: str, choices: Mapping[str, Any], default: str
) -> Any:
    """What a name stands for."""
    name = values.get(key) or default
    if not isinstance(name, str) or name not in choices:
        raise InputError(f"{key} {name!r} is not supported, only {', '.join(choices)}")
    return choices[name]


def read_integer(values: Mapping[str, Any], key: str, default: int) -> int:
    """An integer, of any sign."""
    value = default if values.get(key) is None else values[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{key} is {value!r}; expected an integer")
    return value


def read_bool(values: Mapping[str, Any], key: str, default: bool) -> bool:
    """True or false."""
    value = default if values.get(key) is None else values[key]
    if not isinstance(value, bool):
        raise InputError(f"{key} is {value!r}; expected true or false")
    return value


def read_names(values: Mapping[str, Any], key: str, known: tuple[str, ...]) -> frozenset[str]:
    """Names in a list, or in a text with | between them."""
    value = [] if values.get(key) is None else values[key]
    names = [name.strip() for name in value.lower().split("|")] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(name in known for name in names):
        raise InputError(f"{key} {value!r} is not supported, only {', '.join(known)}")
    return frozenset(names)


def read_object(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object, which may be absent."""
    value = values.get(key)
    if value is not None and not isinstance(value, dict):
        raise InputError(f"{key} is {value!r}; expected an object")
    return value or {}


def read_block_types(values: Mapping[str, Any], default: list[str]) -> list[str]:
    """The type of each block, which newer files list."""
    types = default if values.get("layer_types") is None else values["layer_types"]
    if not isinstance(types, list) or not all(kind in (GLOBAL, LOCAL) for kind in types):
        raise InputError(f"layer_types: expected a list of {GLOBAL} and {LOCAL}, got {types!r}")
    return types


def read_rope(values: Mapping[str, Any], parameters: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The parameters of rotations under a key; scaled ones, such as YaRN, are refused."""
    rope = read_object(parameters, key)
    for scaling in (rope, read_object(values, "rope_scaling")):
        name = scaling.get("rope_type", scaling.get("type", "default"))  # newer and older files
        if name != "default":
            raise InputError(f"rope_type {name!r} is not supported, only 'default'")
        if scaling.get("partial_rotary_factor", 1) != 1:
            raise InputError("partial_rotary_factor is not supported, only 1")
    return rope


def read_theta(values: Mapping[str, Any], block_type: str, older: float) -> float:
    """The base of the angles of a type of blocks: of newer files, else what older ones say."""
    parameters = read_object(values, "rope_parameters")
    # transformers 5.15 also writes the default rope_type and rope_theta here.
    if parameters and not parameters.keys() & {GLOBAL, LOCAL}:
        raise InputError(
            f"rope_parameters: expected those of {GLOBAL} and {LOCAL}, got {sorted(parameters)}"
        )
    read_rope(values, values, "rope_parameters")
    rope = read_rope(values, parameters, block_type)
    return float(read_positive(rope, "rope_theta", float(older)))


def check_rotated(config: EncoderConfig) -> None:
    """Refuses heads that do not consist of pairs of features."""
    if config.head_size % 2:
        raise InputError(f"heads of {config.head_size} features cannot be rotated; expected even")
