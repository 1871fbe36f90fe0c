"""Types of command-line options that several commands share.

A command is a function, and tyro reads its signature: these types carry the help texts.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.config import Config
from maskjax.errors import InputError

RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(help="A run folder or a task file.")]
RunFolders = Annotated[
    tuple[Path, ...],
    tyro.conf.Positional,
    tyro.conf.arg(help="Run folders on one base, or folders of them."),
]
StudyFolder = Annotated[
    Path,
    tyro.conf.arg(
        help="The folder of the figures and their numbers; a study that was stopped resumes there."
    ),
]
Offline = Annotated[
    bool, tyro.conf.arg(help="Never ask the network, use only what is stored locally.")
]
Overwrite = Annotated[
    bool,
    tyro.conf.arg(help="Replace the file if it exists, once the new one is written whole."),
]
EvaluatedSplit = Annotated[
    str | None,
    tyro.conf.arg(help="The rows to score on; by default dev, else test, else holdout."),
]
EvaluatedRows = Annotated[
    int | None, tyro.conf.arg(help="Only so many of the rows, the first; by default all.")
]
Settings = Annotated[Config, tyro.conf.arg(name="")]
"""All settings of a run; `--config` gives their defaults (`maskjax.cli.parse`)."""
MoreSettings = Annotated[tuple[Config, ...], tyro.conf.Suppress, tyro.conf.Fixed]
"""The settings of the second `--config` and of further ones."""


def with_short_options(config: Config, *, seeds: int | None, offline: bool) -> Config:
    """Applies `--seeds` and `--offline`, short for `--train.seeds` and `--model.offline`."""
    if seeds is not None:
        config = replace(config, train=replace(config.train, seeds=seeds))
    return replace(config, model=replace(config.model, offline=True)) if offline else config


def check_least(**options: tuple[float, float]) -> None:
    """Refuses options that are too small.

    Example:
        >>> check_least(points=(2, 3))
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: --points: expected at least 3, got 2.
    """
    for name, (value, least) in options.items():
        if not value >= least:
            raise InputError(f"--{name.replace('_', '-')}: expected at least {least}, got {value}.")
