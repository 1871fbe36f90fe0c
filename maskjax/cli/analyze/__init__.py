"""`maskjax analyze`: the list of the studies of trained runs, and what runs each of them."""

from collections.abc import Callable, Sequence

from maskjax.cli.show import show_progress
from maskjax.errors import InputError

USAGE = """usage: maskjax analyze STUDY RUN... --out FOLDER [options]

Studies of finished runs. Each draws figures (.svg, .png) with their numbers (.csv) into a folder.

  dissimilarity    how far masks are apart, against independent masks of the same densities
  dropped          what masks dropped, by block, kind, head and neuron, and against magnitude
  restored         what changes when the zeros of a block are set back to one
  transfer         runs on the rows of each other's tasks, over the majority vote
  representations  [CLS] vectors of runs and their base: pictures, linear probes, CKA
  connect          loss and score along curves between runs of one task, and the barriers
  plane            loss and score on the plane through three runs of one task
  sparsity         trains masks from several sparsities on, and masks that were not learned
  layers           trains masks over some blocks or kinds of matrices, for score and bytes

The last two train their own runs: maskjax analyze sparsity --config tasks:trec,small --out FOLDER

maskjax analyze STUDY --help lists the options of a study.
"""


def _studies() -> dict[str, Callable[[Sequence[str]], int]]:
    """Imports the studies; not at the top, so that the list is printed immediately."""
    from maskjax.cli.analyze import (
        connect,
        dissimilarity,
        dropped,
        layers,
        plane,
        representations,
        restored,
        sparsity,
        transfer,
    )

    return {
        "dissimilarity": dissimilarity.command,
        "dropped": dropped.command,
        "restored": restored.command,
        "transfer": transfer.command,
        "representations": representations.command,
        "connect": connect.command,
        "plane": plane.command,
        "sparsity": sparsity.command,
        "layers": layers.command,
    }


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax analyze`."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    name, *words = arguments
    studies = _studies()
    if name not in studies:
        raise InputError(f"no study {name!r}; there are: {', '.join(studies)}.")
    with show_progress():
        return studies[name](words)
