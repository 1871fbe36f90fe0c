"""Configurations that ship with the package, by name, and others by path."""

import os
from pathlib import Path
from typing import NamedTuple

from maskjax.errors import InputError, suggest


class ConfigSource(NamedTuple):
    """A configuration file, and the argument of its `get_config`."""

    label: str  # the file as error messages name it
    path: Path  # the file
    argument: str | None = None  # the text after the colon; None without a colon


def packaged_configs() -> dict[str, Path]:
    """Lists the configurations that `--config` accepts by name.

    Example:
        >>> sorted(packaged_configs())
        ['docstrings', 'tasks']
    """
    package = Path(__file__).parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.py"))}
    raise InputError(
        f"{package / 'configs'}: the packaged configurations are missing; install maskjax again."
    )


def find_config(name: str) -> ConfigSource:
    """Finds the file of a configuration.

    Example:
        >>> find_config("tasks:sst2").argument
        'sst2'
    """
    path, has_argument, argument = name.rpartition(".py:")
    path = f"{path}.py" if has_argument else name
    if not _is_path(path):
        path, has_argument, argument = name.partition(":")
    if has_argument and not argument:
        raise InputError(f"{name!r}: expected words after the colon, such as tasks:sst2.")
    file = _existing(Path(path)) if _is_path(path) else _packaged(path)
    return ConfigSource(path, file, argument if has_argument else None)


def _is_path(name: str) -> bool:
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    return name.endswith((".py", ".json")) or any(s in name for s in separators)


def _packaged(name: str) -> Path:
    configs = packaged_configs()
    if name not in configs:
        raise InputError(
            f"{name!r}: no packaged configuration has this name, and a path has a slash or ends in "
            f".py or .json; {suggest(name, list(configs))}"
        )
    return configs[name]


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    if path.stem in packaged_configs():
        remedy = f"the packaged one needs no path: --config {path.stem}."
    elif candidates := sorted(str(file) for file in path.parent.glob("*.py")):
        remedy = suggest(str(path), candidates)
    else:
        remedy = f"there is no .py file in {path.parent}."
    raise InputError(f"{path}: no such configuration; {remedy}")
