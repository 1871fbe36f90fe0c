"""From the words of a command line to the arguments of a function."""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import getdoc, signature
from typing import Any

import tyro

from maskjax.cli.suggest import check_options
from maskjax.config import Config, config_to_dict, flat_settings, load_config
from maskjax.errors import InputError

Arguments = dict[str, Any]


def parse(function: Callable[..., Any], words: Sequence[str], prog: str) -> Arguments:
    """Parses words by the signature of a function, which is not called.

    A function with the parameter `config` also takes `--config`, which names the settings that
    other words override; one with `more_configs` takes it several times.
    """
    parameters = signature(function).parameters
    if "config" not in parameters:
        return _parse(function, words, prog)
    files, rest = take_configs(words)
    if len(files) > 1 and "more_configs" not in parameters:
        raise InputError(f"--config: expected one experiment, got {', '.join(files)}.")
    configs = [load_config(file) for file in files] or [Config()]
    settings = [name for name, _ in flat_settings(config_to_dict(configs[0]))]
    check_options(rest, settings, parameters)
    prog = f"{prog} [--config NAME|FILE]"
    first, *others = (_parse(function, rest, prog, config=config) for config in configs)
    more = {"more_configs": tuple(other["config"] for other in others)} if others else {}
    return first | more


def _parse(
    function: Callable[..., Any], words: Sequence[str], prog: str, **defaults: Any
) -> Arguments:
    """Parses with these defaults of parameters instead of their own."""

    @wraps(function)
    def collect(**arguments: Any) -> Arguments:
        return arguments

    # tyro keeps the line breaks within the description of a function's parameter, and it reads
    # that of a wrapped function.
    del collect.__wrapped__
    collect.__doc__ = re.sub(r"\n {8}(?=\S)", " ", getdoc(function) or "")
    own = signature(function)
    parameters = [
        parameter.replace(default=defaults.get(name, parameter.default))
        for name, parameter in own.parameters.items()
    ]
    collect.__signature__ = own.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
    return tyro.cli(collect, args=words, prog=prog)


def take_configs(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separates `--config NAME` and `--config=NAME` from the words that override its values."""
    files, rest = [], []
    words = iter(arguments)
    for word in words:
        if word == "--config":
            files.append(next(words, ""))
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
        else:
            rest.append(word)
    if "" in files:
        raise InputError("--config: expected a name or a file after it, such as tasks:sst2.")
    return files, rest
