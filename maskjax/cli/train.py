"""`maskjax train` and `train.py`: an experiment file, overrides, a run folder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import jax
import tyro
from rich.console import Console

from maskjax.config import Config, load_config
from maskjax.errors import InputError
from maskjax.training import hosts, run, run_seeds


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """Learns a mask for a task, or one of the methods it is compared with, and saves the run.

    --config FILE loads an experiment (configs/*.py, or the config.json of a run); every option
    below overrides one of its settings. Options show the values that hold if they are not given.
    --no-compile-cache compiles every program anew (maskjax --help says where they are kept).

    Attributes:
        config: All settings.
        out: The run folder, made by the run: config, metrics, and the task file.
        seeds: How many seeds to train at once; short for --train.seeds.
        offline: Never ask the network, for base, rows and masks alike, use only what is stored
            locally; short for --model.offline.
        require_accelerator: Stop at once if JAX found only a CPU.
        hosts: Several hosts train one run, each started with the same command: `auto` on a TPU
            slice and under Slurm, Open MPI or Kubernetes, else PROCESS/PROCESSES@ADDRESS:PORT,
            such as 0/2@10.0.0.1:8476 and 1/2@10.0.0.1:8476. The first one prints and writes.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    out: Path = Path("runs/last")
    seeds: int | None = None
    offline: bool = False
    require_accelerator: bool = False
    hosts: str | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax train`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If something cannot be used.
        NotFiniteError: If training diverges.
    """
    files, rest = take_configs(arguments)
    if len(files) > 1:
        raise InputError(f"--config: expected one file, got {', '.join(files)}.")
    config = load_config(files[0]) if files else Config()
    given = tyro.cli(
        TrainArguments,
        args=rest,
        default=TrainArguments(config=config),
        prog="maskjax train [--config FILE]",
    )
    if given.hosts is not None:
        hosts.join(given.hosts)
    if given.require_accelerator and jax.default_backend() == "cpu":
        raise InputError(
            "--require-accelerator: JAX found only a CPU; choose a runtime with an accelerator, "
            "install jax[tpu] or jax[cuda13], and ask `maskjax doctor`."
        )
    config = given.config
    if given.seeds is not None:
        config = replace(config, train=replace(config.train, seeds=given.seeds))
    if given.offline:
        config = replace(config, model=replace(config.model, offline=True))
    console = Console(quiet=not hosts.is_first())
    (run_seeds if config.train.seeds > 1 else run)(config, given.out, console=console)
    return 0


def take_configs(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Takes each `--config FILE` or `--config=FILE` out, since the rest is parsed over its values.

    Args:
        arguments: The words after a command.

    Returns:
        The files, and the other words.

    Raises:
        InputError: If no file comes after the option.
    """
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
        raise InputError("--config: expected a file after it, such as configs/tasks.py:sst2.")
    return files, rest
