"""Configurations in and out of files: Python experiments in, JSON beside a run out and in."""

import dataclasses
import json
import runpy
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from maskjax.config.config import Config
from maskjax.errors import InputError, near_names


def load_config(path: str | Path) -> Config:
    """Reads an experiment: a Python file with `get_config() -> Config`, or a saved JSON file.

    Args:
        path: A `.py` or `.json` file. What stands after `.py:` is handed to `get_config`, so that
            one file can hold a table of experiments: `configs/tasks.py:mrpc,roberta`.

    Returns:
        The configuration.

    Raises:
        InputError: If the file is missing, is no experiment, or holds a wrong setting.
    """
    name, has_argument, argument = str(path).rpartition(".py:")
    path = Path(f"{name}.py" if has_argument else path)
    if not path.is_file():
        known = sorted(str(p) for p in path.parent.glob("*.py"))
        raise InputError(f"{path}: no such configuration; {near_names(str(path), known)}")
    if path.suffix == ".json":
        return config_from_dict(_read_json(path), str(path))
    config = _run_experiment(path, (argument,) if has_argument else ())
    if not isinstance(config, Config):
        raise InputError(f"{path}: expected a function get_config() that returns a Config.")
    return config


def _run_experiment(path: Path, arguments: tuple[str, ...]) -> Any:
    try:
        get_config = runpy.run_path(str(path)).get("get_config")
        return get_config(*arguments) if callable(get_config) else None
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # an experiment is a user's code, in which anything can be wrong
        raise InputError(f"{path}: {type(error).__name__}: {error}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON: {error}.") from error


def config_to_dict(config: Config) -> dict[str, Any]:
    """Turns a configuration into plain JSON values.

    Args:
        config: The configuration.

    Returns:
        Nested dicts of numbers, strings, lists and None.

    Example:
        >>> config_from_dict(config_to_dict(Config())) == Config()
        True
    """
    return json.loads(json.dumps(dataclasses.asdict(config)))


def config_from_dict(values: Mapping[str, Any], source: str = "config") -> Config:
    """The inverse of `config_to_dict`; unknown keys and values of a wrong type are errors.

    Args:
        values: Nested dicts; missing keys take their defaults.
        source: The file that the values come from, for messages.

    Returns:
        The configuration.

    Raises:
        InputError: If a key or a value is not allowed.
    """
    return _read(Config, values, source)


def _read(cls: type, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected a table of settings, got {values!r}.")
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            raise InputError(f"{where}: unknown setting {key!r}; {near_names(key, list(hints))}")
    return cls(**{key: _value(hints[key], v, f"{where}.{key}") for key, v in values.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read(typing.cast(type, hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _value(arguments[0], value, where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], item, where) for item in value)
    if origin is Literal and value in arguments:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    allowed = (
        ", ".join(map(str, arguments)) if origin is Literal else getattr(hint, "__name__", hint)
    )
    raise InputError(f"{where}: expected {allowed}, got {value!r}.")
