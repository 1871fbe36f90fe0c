"""`maskjax train` and `train.py`: an experiment file, overrides, a run folder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import jax
import tyro
from rich.console import Console

from maskjax.cli.suggest import check_options
from maskjax.config import Config, config_to_dict, load_config
from maskjax.errors import InputError
from maskjax.training import distributed, run, run_seeds
from maskjax.training.settings import flat_settings


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """Learns a mask for a task, or one of the methods it is compared with, and saves the run.

    --config loads an experiment: a packaged one by name (docstrings, tasks:sst2,
    tasks:mrpc,roberta), or a file by its path (mine.py, mine.py:words, the config.json of a run).
    A .py file is run as code. Every option below overrides one of the experiment's settings, and
    options show the values that hold if they are not given.
    --no-compile-cache compiles every program again (maskjax --help says where they are kept).

    Attributes:
        config: All settings.
        out: The run folder, made by the run: config, metrics, and the task file.
        seeds: How many seeds to train at once; short for --train.seeds.
        offline: Never ask the network, for base, rows and masks alike, use only what is stored
            locally; short for --model.offline.
        overwrite: Delete the run that --out holds, once everything is checked, and start again.
            One of the same settings that is not finished resumes, with or without it.
        require_accelerator: Stop immediately if JAX found only a CPU.
        hosts: Several hosts train one run, each started with the same command: `auto` on a TPU
            slice and under Slurm, Open MPI or Kubernetes, else PROCESS/PROCESSES@ADDRESS:PORT,
            such as 0/2@10.0.0.1:8476 and 1/2@10.0.0.1:8476. The first one prints and writes.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    out: Path = Path("runs/last")
    seeds: int | None = None
    offline: bool = False
    overwrite: bool = False
    require_accelerator: bool = False
    hosts: str | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax train`."""
    files, rest = take_configs(arguments)
    if len(files) > 1:
        raise InputError(f"--config: expected one experiment, got {', '.join(files)}.")
    config = load_config(files[0]) if files else Config()
    settings = dict(flat_settings(config_to_dict(config)))
    own = (field.name for field in fields(TrainArguments) if field.name != "config")
    check_options(rest, settings, own)
    given = tyro.cli(
        TrainArguments,
        args=rest,
        default=TrainArguments(config=config),
        prog="maskjax train [--config NAME|FILE]",
    )
    if given.hosts is not None:
        distributed.join(given.hosts)
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
    console = Console(quiet=not distributed.is_primary())
    train = run_seeds if config.train.seeds > 1 else run
    train(config, given.out, console=console, overwrite=given.overwrite)
    return 0


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
