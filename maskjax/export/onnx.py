"""Export to ONNX, through a Hugging Face folder and PyTorch's own exporter."""

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from maskjax.export.folder import new_folder
from maskjax.export.huggingface import HEADS, export_hf
from maskjax.extras import require
from maskjax.inference import SavedRun
from maskjax.models import Model
from maskjax.progress import announced

MODEL = "model.onnx"


def export_onnx(saved: SavedRun, folder: Path) -> None:
    """Writes a folder with `model.onnx`, the config with the label names, and the tokenizer.

    The inputs of the graph are int64 `input_ids`, `attention_mask` and, for BERT, `token_type_ids`,
    each [batch, seq] with both sizes dynamic. Its output is float32 `logits`, [batch, outputs]; for
    tokens [batch, seq, outputs]. For choices the inputs are [batch, choices, seq], with dynamic
    choices too, and the output is [batch, choices].

    Args:
        saved: From `maskjax.inference.load_run`.
        folder: New or empty.

    Raises:
        InputError: If the folder is not empty or cannot be written, if there is no model for such
            a task, or if PyTorch or its exporter's packages are not installed.
    """
    require_onnx()
    with new_folder(folder) as temporary, tempfile.TemporaryDirectory() as scratch:
        hf_folder = Path(scratch) / "hf"
        export_hf(saved, hf_folder)
        with announced("converting the model with PyTorch's exporter"):
            _convert(hf_folder, saved.model, temporary / MODEL)
        for file in hf_folder.glob("*.json"):
            shutil.copyfile(file, temporary / file.name)


def require_onnx() -> None:
    """Checks that PyTorch and the packages of its exporter are installed.

    Raises:
        InputError: If one is missing.
    """
    require("--to onnx", "torch", "onnx", "onnxscript", install="maskjax[onnx]")


def _convert(hf_folder: Path, model: Model, file: Path) -> None:
    import torch  # an optional dependency
    import transformers

    head = getattr(transformers, f"AutoModel{HEADS[model.kind]}")
    inputs = _example(torch, model)
    dynamic_axes = _dynamic_axes(torch.export.Dim, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the exporter's own internals
        program = torch.onnx.export(
            head.from_pretrained(hf_folder).eval(),
            (),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(inputs, dynamic_axes),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export(dynamo=True) returned no program")
    program.save(file)


def _example(torch: Any, model: Model) -> dict[str, Any]:
    """Two rows of eight tokens, or of three choices of eight, none of them padding."""
    config, shape = model.config, (2, 3, 8) if model.kind == "choice" else (2, 8)
    ids = torch.full(shape, config.pad_token_id + 1, dtype=torch.int64)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if config.uses_token_types:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    return inputs


def _dynamic_axes(dim: Any, model: Model) -> dict[int, Any]:
    """The axes of the inputs with dynamic sizes."""
    batch, seq = dim("batch", min=1, max=2**16), dim("seq", min=2, max=model.config.max_positions)
    if model.kind == "choice":
        return {0: batch, 1: dim("choices", min=2, max=2**16), 2: seq}
    return {0: batch, 1: seq}
