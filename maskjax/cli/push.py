"""`maskjax push`: a task file and its card on the Hugging Face Hub."""

from maskjax.cli.show import show
from maskjax.options import RunPath


def push(run: RunPath, *, to: str, private: bool = False, license: str | None = None) -> None:
    """Publishes the task file of a run, with a model card, on the Hugging Face Hub.

    Every command takes the Hub id in place of a run folder afterwards.

    Args:
        to: The repository, owner/name; it is made if it is missing.
        private: Make a new repository private.
        license: An identifier of the Hub for the card, such as apache-2.0.
    """
    from maskjax.taskfile import push_task

    show(push_task(run, to, private=private, license=license))
