"""`maskjax push`: a task file and its card on the Hugging Face Hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.cli.show import show
from maskjax.taskfile import push_task


@dataclass(frozen=True, kw_only=True)
class PushArguments:
    """Publishes the task file of a run, with a model card, on the Hugging Face Hub.

    Every command takes the Hub id in place of a run folder afterwards.

    Attributes:
        run: A run folder or a task file.
        to: The repository, owner/name; it is made if it is missing.
        private: Make a new repository private.
        license: An identifier of the Hub for the card, such as apache-2.0.
    """

    run: Annotated[Path, tyro.conf.Positional]
    to: str
    private: bool = False
    license: str | None = None


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax push`."""
    given = tyro.cli(PushArguments, args=arguments, prog="maskjax push")
    show(push_task(given.run, given.to, private=given.private, license=given.license))
    return 0
