"""A finished run in maskjax and, exported both ways, in PyTorch: the same logits, the same labels?

    python -m benchmarks.export_parity runs/cola --data my-folder/dev.tsv --rows 500

The file needs the run's text columns; labels are not read. Needs PyTorch.
"""

import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import transformers
import tyro

from benchmarks.harness import timed
from maskjax.export import export_hf, export_torch_masks
from maskjax.inference import SavedRun, load_run, predict_rows
from maskjax.tasks import Split, Table, encode, read_table, read_texts
from maskjax.tasks.tokenizer_convert import load_with_transformers

Texts = list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What to compare.

    Attributes:
        run: A run folder with a mask.
        data: A .tsv, .csv, .jsonl or .parquet file with the run's text columns.
        rows: How many of its rows.
    """

    run: Annotated[Path, tyro.conf.Positional]
    data: Path
    rows: int = 500


def main(given: Arguments) -> None:
    """Prints the largest differences of logits, the labels that agree, and times."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    saved = load_run(given.run)
    texts = read_texts(Table(str(given.data), read_table(given.data)), saved.task)
    texts = texts[: given.rows]
    split = Split(texts, np.zeros(len(texts), np.int32))
    ours = saved.logits(encode(split, saved.tokenizer, saved.config.task.max_length))
    print(f"{len(texts)} rows of {given.data}, logits from {ours.min():.2f} to {ours.max():.2f}")
    with tempfile.TemporaryDirectory() as name:
        _compare_hf(saved, texts, ours, Path(name) / "hf")
        _compare_masks(saved, texts, ours, Path(name) / "masks")


def _compare_hf(saved: SavedRun, texts: Texts, ours: np.ndarray, folder: Path) -> None:
    export_hf(saved, folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    theirs = _logits(model, saved, texts)
    print(f"hf           max |logit difference| {np.abs(ours - theirs).max():.2e}")
    classify: Any = transformers.pipeline("text-classification", str(folder), device="cpu")
    rows = [dict(zip(("text", "text_pair"), row, strict=False)) for row in texts]
    labels = [classify(row, truncation=True)["label"] for row in rows]
    predictions = predict_rows(saved.task, ours)
    same = sum(a == b["label"] for a, b in zip(labels, predictions, strict=True))
    print(f"pipeline()   {same} of {len(texts)} labels the same, {len(set(labels))} labels occur")


def _compare_masks(saved: SavedRun, texts: Texts, ours: np.ndarray, folder: Path) -> None:
    export_torch_masks(saved, folder)
    shipped = _load_module(folder / "maskjax_torch.py")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        saved.base.folder
    ).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    task = shipped.load_task(folder)
    applying = timed(lambda: shipped.apply(model, task))[1]
    switching = timed(lambda: shipped.switch(model, task))[1]
    theirs = _logits(model, saved, texts)
    undoing = timed(lambda: shipped.undo(model))[1]
    after = model.state_dict()
    same = list(after) == list(before) and all(torch.equal(before[n], after[n]) for n in before)
    print(f"torch-masks  max |logit difference| {np.abs(ours - theirs).max():.2e}")
    print(f"apply {applying:.3f} s, switch {switching:.3f} s, undo {undoing:.4f} s")
    print(f"after undo   every tensor {'as before' if same else 'NOT as before'}")


def _logits(model: Any, saved: SavedRun, texts: Texts) -> np.ndarray:
    tokenizer: Any = load_with_transformers(saved.base.folder)
    length, pieces = saved.config.task.max_length, []
    for start in range(0, len(texts), 32):
        columns = [list(column) for column in zip(*texts[start : start + 32], strict=True)]
        inputs = tokenizer(
            *columns, padding=True, truncation=True, max_length=length, return_tensors="pt"
        )
        if saved.base.config.family != "bert":
            inputs.pop("token_type_ids", None)
        with torch.no_grad():
            pieces.append(model(**inputs).logits.numpy())
    return np.concatenate(pieces)


def _load_module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("maskjax_torch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["maskjax_torch"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(tyro.cli(Arguments))
