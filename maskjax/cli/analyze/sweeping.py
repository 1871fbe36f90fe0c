"""The options of sweeps: a run as for `maskjax train`, and what is changed in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from maskjax.cli.train import take_configs
from maskjax.config import Config, load_config
from maskjax.errors import InputError
from maskjax.extras import require


@dataclass(frozen=True, kw_only=True)
class SweepArguments:
    """A sweep that trains its own runs.

    Attributes:
        config: All settings of the runs, but for those that the sweep changes.
        out: The folder of the figure and of the runs; a sweep that was stopped resumes there.
        split: The split whose scores are drawn.
        seeds: How many seeds of each setting; short for --train.seeds.
        offline: Never ask the network, use only what is stored locally; short for
            --model.offline.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    out: Path
    split: str = "dev"
    seeds: int | None = None
    offline: bool = False

    @property
    def run(self) -> Config:
        """The settings with what is given in short."""
        config = self.config
        if self.seeds is not None:
            config = replace(config, train=replace(config.train, seeds=self.seeds))
        if self.offline:
            config = replace(config, model=replace(config.model, offline=True))
        return config


Given = TypeVar("Given", bound=SweepArguments)


def parse_sweep(cls: type[Given], arguments: Sequence[str], prog: str, out: Path) -> list[Given]:
    """Parses the options of a sweep over the values of each `--config`."""
    files, rest = take_configs(arguments)
    configs = [load_config(file) for file in files] or [Config()]
    given = [
        tyro.cli(
            cls, args=rest, default=cls(config=config, out=out), prog=f"{prog} [--config NAME|FILE]"
        )
        for config in configs
    ]
    require(prog, "matplotlib", install="maskjax[analysis]")
    tasks = [some.config.task.name for some in given]
    if len(set(tasks)) < len(tasks):
        raise InputError(f"--config: expected a task once, got {', '.join(tasks)}.")
    return given
