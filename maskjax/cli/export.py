"""`maskjax export`: a finished run for PyTorch or ONNX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from maskjax.cli.saved import SavedRun
from maskjax.cli.show import show, show_progress
from maskjax.export import export_hf, export_onnx, export_torch_masks, require_onnx

EXPORTS = {"hf": export_hf, "torch-masks": export_torch_masks, "onnx": export_onnx}


@dataclass(frozen=True, kw_only=True)
class ExportArguments(SavedRun):
    """Exports a finished run for PyTorch or ONNX.

    hf: a folder that transformers' from_pretrained and pipeline() load, weights and all.
    torch-masks: the packed mask and the head, with the module maskjax_torch.py that puts them on
    a live PyTorch model, switches to other tasks and takes them off again.
    onnx: model.onnx with the tokenizer; needs pip install "maskjax[onnx]".

    Attributes:
        to: The form.
        out: The folder to make; nothing may be in it.
    """

    to: Literal["hf", "torch-masks", "onnx"]
    out: Path


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax export`."""
    given = tyro.cli(ExportArguments, args=arguments, prog="maskjax export")
    if given.to == "onnx":
        require_onnx()
    predictor = given.load()
    with show_progress():
        EXPORTS[given.to](predictor, given.out)
    show(f"{given.to}: {predictor.task.name} in {given.out}")
    for file in sorted(given.out.iterdir()):
        show(f"  {file.stat().st_size:>13,}  {file.name}")
    return 0
