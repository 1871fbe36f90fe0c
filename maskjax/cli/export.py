"""`maskjax export`: a finished run for PyTorch or ONNX."""

from pathlib import Path
from typing import Literal

from maskjax.cli.common import OneRun
from maskjax.cli.show import show, show_progress


def export(run: OneRun, *, to: Literal["hf", "torch-masks", "onnx"], out: Path) -> None:
    """Exports a finished run for PyTorch or ONNX.

    hf: a folder that transformers' from_pretrained and pipeline() load, weights and all.
    torch-masks: the packed mask and the head, with the module maskjax_torch.py that puts them on
    a live PyTorch model, switches to other tasks and takes them off again.
    onnx: model.onnx with the tokenizer; needs pip install "maskjax[onnx]".

    Args:
        to: The form.
        out: The folder to make; nothing may be in it.
    """
    from maskjax.export import export_hf, export_onnx, export_torch_masks, require_onnx

    if to == "onnx":
        require_onnx()
    saved = run.load()
    exports = {"hf": export_hf, "torch-masks": export_torch_masks, "onnx": export_onnx}
    with show_progress():
        exports[to](saved, out)
    show(f"{to}: {saved.task.name} in {out}")
    for file in sorted(out.iterdir()):
        show(f"  {file.stat().st_size:>13,}  {file.name}")
