"""`maskjax shrink`: a smaller task file out of a finished run."""

from pathlib import Path

from maskjax.cli.common import OneRun, refuse_existing
from maskjax.cli.show import show
from maskjax.options import Overwrite


def shrink(run: OneRun, *, out: Path, zeros: float = 0.5, overwrite: Overwrite = False) -> None:
    """Makes a smaller task file, without training again: small weights are kept after all.

    Ask `maskjax evaluate` what that costs.

    Args:
        out: The new file, such as small.safetensors.
        zeros: The share of the zeros that stay, those of the largest weights relative to the mean
            of their matrix.
    """
    from maskjax import taskfile

    refuse_existing(out, overwrite=overwrite)
    saved = run.load()
    small = taskfile.shrink(saved.file, saved.weights, zeros)
    size = taskfile.save_task_file(out, small)
    left, before = (sum(mask.zeros for mask in file.masks.values()) for file in (small, saved.file))
    show(f"{out}: {size:,} bytes, {left:,} of {before:,} zeros")
