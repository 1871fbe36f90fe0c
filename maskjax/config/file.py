"""Configurations in files: Python experiments, and the JSON of a run."""

import dataclasses
import json
import runpy
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from maskjax.config.config import Config
from maskjax.config.json_file import read_json
from maskjax.config.packaged import ConfigSource, find_config
from maskjax.config.renames import rename_settings
from maskjax.errors import InputError, suggest


def load_config(name: str | Path) -> Config:
    """Reads an experiment: a Python file with `get_config() -> Config`, or a saved JSON file.

    A Python file is run as code.

    Args:
        name: A packaged configuration (`docstrings`, `tasks:sst2`), or the path of a `.py` or
            `.json` file. The text after a colon is the argument of `get_config`, so that one file
            can hold a table of experiments: `configs/tasks.py:mrpc,roberta`.

    Returns:
        The configuration.

    Raises:
        InputError: If there is no such configuration, or if it holds a wrong setting.

    Example:
        >>> load_config("tasks:sst2").task.name
        'glue/sst2'
    """
    source = find_config(str(name))
    if source.path.suffix == ".json":
        return config_from_dict(read_json(source.path), source.label)
    config = _run_experiment(source)
    if not isinstance(config, Config):
        raise InputError(f"{source.label}: expected a function get_config() that returns a Config.")
    return config


def _run_experiment(source: ConfigSource) -> Any:
    arguments = () if source.argument is None else (source.argument,)
    try:
        get_config = runpy.run_path(str(source.path)).get("get_config")
        return get_config(*arguments) if callable(get_config) else None
    except InputError as error:
        raise InputError(f"{source.label}: {error}") from error
    except Exception as error:  # an experiment is a user's code
        raise InputError(f"{source.label}: {type(error).__name__}: {error}") from error


def config_to_dict(config: Config) -> dict[str, Any]:
    """Converts a configuration to JSON values.

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

    Names that earlier versions gave to settings are read as those of today.

    Args:
        values: Nested dicts; missing keys take their defaults.
        source: The file that the values come from, for messages.

    Returns:
        The configuration.

    Raises:
        InputError: If a key or a value is not allowed.

    Example:
        >>> config_from_dict({"train": {"epochs": 2}}).train.epochs
        2
    """
    return _read(Config, rename_settings(values), source)


def known_settings(values: Any) -> Any:
    """Leaves out the settings that this version does not know.

    Args:
        values: Nested dicts, as another version may have written them into a task file.

    Returns:
        The others, under their names of today.

    Example:
        >>> known_settings({"train": {"epochs": 2, "unknown": 1}})
        {'train': {'epochs': 2}}
    """
    return _known(Config, rename_settings(values))


def _known(cls: type, values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    hints = typing.get_type_hints(cls)
    return {
        key: _known(hints[key], value) if dataclasses.is_dataclass(hints[key]) else value
        for key, value in values.items()
        if key in hints
    }


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names settings as options do.

    Args:
        settings: Nested dicts, as `config_to_dict` makes them.
        prefix: Stands before each name.

    Yields:
        The name and the value of each setting.

    Example:
        >>> dict(flat_settings({"train": {"seed": 0, "epochs": 3}}))
        {'train.seed': 0, 'train.epochs': 3}
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat_settings(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _read(cls: type, values: Any, location: str) -> Any:
    if not isinstance(values, Mapping):
        raise InputError(f"{location}: expected a table of settings, got {values!r}.")
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            raise InputError(f"{location}: unknown setting {key!r}; {suggest(key, list(hints))}")
    return cls(**{key: _value(hints[key], v, f"{location}.{key}") for key, v in values.items()})


def _value(hint: Any, value: Any, location: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read(typing.cast(type, hint), value, location)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _value(arguments[0], value, location)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], item, location) for item in value)
    if origin is Literal and value in arguments:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    allowed = (
        ", ".join(map(str, arguments)) if origin is Literal else getattr(hint, "__name__", hint)
    )
    raise InputError(f"{location}: expected {allowed}, got {value!r}.")
